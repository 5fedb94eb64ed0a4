"""Real servers out of wheels, as child processes on 127.0.0.1: for ``make run`` and for the tests of the whole repository."""

from highsea_local.servers.nats import NatsServer
from highsea_local.servers.nats_config import NatsUser, service_users
from highsea_local.servers.postgres import PostgresServer
from highsea_local.servers.server import Server, ServerFailed
from highsea_local.servers.traefik import TraefikServer
from highsea_local.servers.valkey import ValkeyServer

__all__ = [
    "NatsServer",
    "NatsUser",
    "PostgresServer",
    "Server",
    "ServerFailed",
    "TraefikServer",
    "ValkeyServer",
    "service_users",
]
