"""The folder ``.highsea``: data, secrets, logs and the state file that a later start, or a later release, reads again."""

import fcntl
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from highsea_local import ports
from highsea_local.files import write_json

FORMAT = 1  # of the folder's layout; raised when an older release could not read it any more
KEPT_LOGS = 3


class HomeDamaged(Exception):
    """A file of the folder cannot be read as what it should be."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path, self.why = path, why


class HomeNewer(Exception):
    """The folder was last used by a newer release."""

    def __init__(self, version: str) -> None:
        super().__init__(f"written by Highsea {version}")
        self.version = version


class HomeInUse(Exception):
    """Another process runs from the folder. ``pid`` is 0 when it is not known."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"used by process {pid}")
        self.pid = pid


def release() -> str:
    """The version of this release, e.g. ``0.1.0``."""
    return metadata.version("highsea-local")


def default_home() -> Path:
    """The folder named by HIGHSEA_HOME, else ``.highsea`` below the working directory."""
    return Path(os.environ.get("HIGHSEA_HOME") or ".highsea").absolute()


class Home:
    """Names of everything in the folder, and its state file. Makes nothing until :meth:`prepare`."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.data = self.path / "data"
        self.objects = self.path / "objects"
        self.secrets = self.path / "secrets"
        self.logs = self.path / "logs"
        self.mail = self.path / "mail"
        self.run = self.path / "run"
        self.demo = self.path / "demo"
        self.demo_report = self.path / "demo.json"
        self.state_file = self.path / "state.json"
        self.status_file = self.run / "status.json"

    def prepare(self) -> None:
        """Makes the folders: traversable for PostgreSQL's user, its secrets for nobody else. Raises OSError."""
        for folder in (self.path, self.data):
            folder.mkdir(mode=0o711, parents=True, exist_ok=True)
            folder.chmod(0o711)
        for folder in (self.objects, self.secrets, self.logs, self.mail, self.run, self.demo):
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(0o700)

    def log(self, name: str) -> Path:
        """The log file of a process or step."""
        return self.logs / f"{name}.log"

    def rotate_logs(self) -> None:
        """Moves each log of the last run to ``<name>.log.1``, keeping three runs."""
        for log in self.logs.glob("*.log"):
            for number in range(KEPT_LOGS - 1, 0, -1):
                older = log.with_name(f"{log.name}.{number}")
                if older.exists():
                    older.replace(log.with_name(f"{log.name}.{number + 1}"))
            log.replace(log.with_name(f"{log.name}.1"))

    def state(self) -> dict[str, Any]:
        """What the state file says; empty at first.

        Raises:
            HomeDamaged: It is no JSON object of the expected shape.
            HomeNewer: A newer release wrote it.
        """
        if not self.state_file.exists():
            return {}
        try:
            state = json.loads(self.state_file.read_text(encoding="utf-8"))
            written_format, version = int(state["format"]), str(state["version"])
            kept = state["ports"]
            if not all(isinstance(name, str) and isinstance(port, int) for name, port in kept.items()):
                raise HomeDamaged(self.state_file, "its ports are not numbers by name")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise HomeDamaged(self.state_file, f"it is not what this program wrote ({error!r})") from error
        if written_format > FORMAT or _ordered(version) > _ordered(release()):
            raise HomeNewer(version)
        return dict(state)

    def allocate_ports(self, names: Sequence[str], gateway_port: int | None = None) -> dict[str, int]:
        """A reserved free port for each name, the same as last time where it is still free; kept in the state file.

        Args:
            gateway_port: The port called ``gateway``, taken as it is. None: like the others.

        Raises:
            HomeDamaged, HomeNewer: See :meth:`state`.
            OSError: No port is free.
        """
        before: dict[str, int] = self.state().get("ports", {})
        chosen = {"gateway": gateway_port} if gateway_port is not None else {}
        for name in names:
            if name not in chosen:
                kept = before.get(name)
                chosen[name] = kept if kept is not None and ports.reserve(kept) else ports.free_port()
        write_json(self.state_file, {"format": FORMAT, "version": release(), "ports": chosen})
        return chosen

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Holds the folder for this process. Raises HomeInUse when another one does, OSError without write access."""
        self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
        with (self.path / "lock").open("a+", encoding="ascii") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                text = file.read().strip()
                raise HomeInUse(int(text) if text.isdigit() else 0) from None
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            try:
                yield
            finally:
                file.truncate(0)


def _ordered(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
