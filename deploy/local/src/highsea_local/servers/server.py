"""What all servers have in common: prepare, start, wait until ready, stop, kill, pause, resume."""

import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from highsea_local.spawn import Child, Command, spawn, tail


class ServerFailed(Exception):
    """A server ended by itself or did not become ready in time. The text names the log file and its last lines."""

    def __init__(self, name: str, what: str, log: Path) -> None:
        last = "\n".join(f"    {line}" for line in tail(log))
        super().__init__(f"{name} {what}; see {log}\n{last}")
        self.name, self.log = name, log


class Server(ABC):
    """A server process on 127.0.0.1. Usable as a context manager: started and ready inside, stopped after.

    Subclasses say what to prepare, what to run and when it is ready; this class runs it without a supervisor.
    """

    name: str
    port: int
    log: Path

    def __init__(self) -> None:
        self._child: Child | None = None

    @abstractmethod
    def prepare(self) -> None:
        """Writes the configuration and data folders; does nothing that is already done. May take seconds at first."""

    @abstractmethod
    def command(self) -> Command:
        """The program to run, after :meth:`prepare`."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether the server answers now. Never raises; takes at most two seconds."""

    @property
    def child(self) -> Child:
        """The process of the last start. Raises :class:`RuntimeError` before the first."""
        if self._child is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._child

    @property
    def is_running(self) -> bool:
        return self._child is not None and self._child.is_running

    def start(self) -> None:
        """Prepares and starts the process without waiting for it; does nothing when it runs already."""
        if self.is_running:
            return
        self.prepare()
        self._child = spawn(self.command())

    def wait_ready(self, timeout_seconds: float = 60.0) -> None:
        """Blocks until the server answers.

        Raises:
            ServerFailed: The process ended, or did not answer within ``timeout_seconds``.
        """
        deadline = time.monotonic() + timeout_seconds
        while not self.is_ready():
            code = self.child.exit_code
            if code is not None:
                raise ServerFailed(self.name, f"ended with exit code {code}", self.log)
            if time.monotonic() > deadline:
                raise ServerFailed(self.name, f"was not ready after {timeout_seconds:.0f} s", self.log)
            time.sleep(0.03)

    def stop(self) -> None:
        """Ends the server cleanly and waits for it; does nothing when it does not run."""
        if self._child is not None:
            self._child.stop()

    def kill(self) -> None:
        """SIGKILL, as a power cut would do; the data folder stays. :meth:`start` brings it back."""
        self.child.kill()

    def restart(self) -> None:
        """Stops cleanly, starts again on the same port and data, and waits until ready. Raises like wait_ready."""
        self.stop()
        self.start()
        self.wait_ready()

    def pause(self) -> None:
        """Freezes the server: connections stay open and nothing answers until :meth:`resume`."""
        self.child.pause()

    def resume(self) -> None:
        """Lets a paused server go on."""
        self.child.resume()

    def __enter__(self) -> Self:
        self.start()
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
