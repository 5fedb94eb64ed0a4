"""A handle on one process of a running system, for tests that kill, freeze and restart it."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from highsea_local.supervisor import Supervisor
from highsea_local.units import State

Call = Callable[[Coroutine[Any, Any, None]], None]


class ProcessHandle:
    """One process of a running system, by name: ``postgres``, ``nats``, ``traefik``, ``pool-serve``, ``import-process``."""

    def __init__(self, supervisor: Supervisor, call: Call, name: str, log: Path) -> None:
        self.name, self.log = name, log
        self._supervisor, self._call = supervisor, call
        self._runner = supervisor.runner(name)

    @property
    def pid(self) -> int | None:
        """Its process id now, None while it does not run."""
        return self._runner.status.pid

    @property
    def state(self) -> State:
        """Where it is now."""
        return self._runner.status.state

    @property
    def restarts(self) -> int:
        """How often it was brought back after a crash or a kill."""
        return self._runner.status.restarts

    def kill(self, restart: bool = True) -> None:
        """SIGKILL to it and its descendants; returns when they are gone. With ``restart`` it comes back by itself."""
        self._call(self._supervisor.kill(self.name, restart))

    def stop(self) -> None:
        """SIGTERM and a grace time (25 s for services); it stays away until :meth:`start`."""
        self._call(self._supervisor.stop(self.name))

    def start(self) -> None:
        """Starts it again after a stop or a kill without restart, and waits until ready. Raises Failed."""
        self._call(self._supervisor.start(self.name))

    def restart(self) -> None:
        """:meth:`stop` and :meth:`start`."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """SIGSTOP: sockets stay open, nothing answers. A paused process cannot end cleanly: resume it first."""
        self._call(self._supervisor.pause(self.name))

    def resume(self) -> None:
        """SIGCONT."""
        self._call(self._supervisor.resume(self.name))

    def wait_ready(self, timeout_seconds: float = 60.0) -> None:
        """Waits until it is ready (again). Raises TimeoutError."""
        self._call(self._supervisor.wait_ready(self.name, timeout_seconds))
