"""Child processes that cannot outlive us: own process group, output to a log file, killed by the kernel with us."""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_LAUNCHER = Path(__file__).with_name("launch.py")


@dataclass(frozen=True)
class User:
    """An operating system user by number, whom a child becomes before it runs."""

    uid: int
    gid: int


def inherited_environment() -> dict[str, str]:
    """The part of our own environment that a server may see: where programs and temporary files are, and the language."""
    names = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SSL_CERT_FILE", "LD_LIBRARY_PATH")
    return {name: os.environ[name] for name in names if name in os.environ}


@dataclass(frozen=True)
class Command:
    """What to run and how to end it.

    ``environment`` is complete: nothing is inherited. ``stop_signal`` asks for a clean end; after ``grace_seconds``
    the whole process group is killed. ``niceness``: above 0 it gives way to others that want the processor, up to 19.
    """

    argv: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=inherited_environment)
    directory: Path | None = None
    user: User | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 10.0
    niceness: int = 0


class Child:
    """A running (or ended) child process. Safe to use from any thread."""

    def __init__(self, command: Command, process: "subprocess.Popen[bytes]") -> None:
        self.command = command
        self._process = process

    @property
    def pid(self) -> int:
        """Process id, also the id of its process group."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative is the number of the signal that killed it."""
        return self._process.poll()

    @property
    def is_running(self) -> bool:
        return self.exit_code is None

    def wait(self, timeout_seconds: float | None = None) -> int:
        """Blocks until the process ended and returns its exit code.

        Raises:
            TimeoutError: It still runs after ``timeout_seconds``.
        """
        try:
            return self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self.command.argv[0]} still runs after {timeout_seconds} s") from None

    def stop(self) -> int:
        """Asks for a clean end, kills after the grace time, leaves no descendant behind. Returns the exit code."""
        descendants = self._descendants()
        if self.is_running:
            self._signal_group(self.command.stop_signal)
        with contextlib.suppress(TimeoutError):
            self.wait(self.command.grace_seconds)
        return self._kill(descendants)

    def kill(self) -> int:
        """SIGKILL to the process and its descendants at once. Returns the exit code."""
        return self._kill(self._descendants())

    def pause(self) -> None:
        """SIGSTOP to the process and all its descendants: it holds its sockets and answers nothing."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT to the process and all its descendants."""
        self._signal_all(signal.SIGCONT)

    def _kill(self, descendants: Sequence[psutil.Process]) -> int:
        self._signal_group(signal.SIGKILL)
        code = self.wait(10.0)
        for descendant in descendants:  # those that made a process group of their own, as PostgreSQL's do
            with contextlib.suppress(psutil.NoSuchProcess):
                descendant.kill()
        psutil.wait_procs(list(descendants), timeout=10.0)
        return code

    def _descendants(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.pid).children(recursive=True) if self.is_running else []
        except psutil.NoSuchProcess:
            return []

    def _signal_all(self, number: signal.Signals) -> None:
        for process in self._descendants():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        self._signal_group(number)

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # EPERM: macOS, for a group of zombies
            os.killpg(self.pid, number)


class _Spawner:
    """One thread that never ends and starts every child: Linux kills a child when the *thread* that made it ends."""

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[tuple[Command, Future[Child]]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._owner = 0

    def start(self, command: Command) -> Child:
        with self._lock:
            if self._owner != os.getpid():  # first use, or we are a fork and the thread stayed with our parent
                self._orders = queue.SimpleQueue()
                threading.Thread(target=self._run, args=(self._orders,), name="spawner", daemon=True).start()
                self._owner = os.getpid()
        answer: Future[Child] = Future()
        self._orders.put((command, answer))
        return answer.result()

    def _run(self, orders: "queue.SimpleQueue[tuple[Command, Future[Child]]]") -> None:
        while True:
            command, answer = orders.get()
            try:
                answer.set_result(_start(command))
            except Exception as error:
                answer.set_exception(error)


def launcher(user: User | None, niceness: int = 0) -> list[str]:
    """What stands before the program and its arguments: `launch.py` on behalf of this process."""
    whose = f"{user.uid}:{user.gid}" if user else "-"
    return [sys.executable, "-I", "-S", "-B", str(_LAUNCHER), str(os.getpid()), whose, str(niceness)]


def _start(command: Command) -> Child:
    command.log.parent.mkdir(parents=True, exist_ok=True)
    with command.log.open("ab") as log:
        process = subprocess.Popen(
            [*launcher(command.user, command.niceness), *command.argv],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(command.environment),
            cwd=command.directory,
            # A session of its own: Linux shares the processors out by session, and PostgreSQL gives one to each backend.
            start_new_session=True,
        )
    return Child(command, process)


_SPAWNER = _Spawner()


def spawn(command: Command) -> Child:
    """Starts a child process.

    Raises:
        OSError: The log file cannot be written or no process can be made. A program that is missing shows as exit
            code 127 and a line in the log.
    """
    return _SPAWNER.start(command)


def tail(log: Path, lines: int = 12) -> list[str]:
    """The last lines of a log file, empty when there is none. Reads at most 64 KiB."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 65_536))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    return text.splitlines()[-lines:]
