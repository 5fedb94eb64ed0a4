"""Fixtures of every test: real servers out of wheels, started once per test process."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from highsea_local.servers.nats import NatsServer
from highsea_local.servers.postgres import PostgresServer
from highsea_local.servers.valkey import ValkeyServer
from tests.support import folder
from tests.support.services import Keys, Opener

# A failed test shows a plain traceback, not every local variable of every frame.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)

# How long an example takes says something of the machine, not of the code.
settings.register_profile("highsea", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("highsea")


def pytest_sessionstart() -> None:
    """Modules and tests stay to the end: the garbage collector need not look through them, now or ever again."""
    gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """Where servers keep their files."""
    with folder.server_folder("highsea-test-") as path:
        yield path


@pytest.fixture(scope="session")
def postgres(server_folder: Path) -> Iterator[PostgresServer]:
    """A real PostgreSQL server."""
    # Every test connects anew, and no password is worth guessing.
    with PostgresServer(server_folder / "postgres", durable=False, settings={"scram_iterations": "1"}) as server:
        yield server


@pytest.fixture(scope="session")
def nats_server(server_folder: Path) -> Iterator[NatsServer]:
    """A real NATS server with JetStream; any client may do anything."""
    with NatsServer(server_folder / "nats") as server:
        yield server


@pytest.fixture(scope="session")
def valkey(server_folder: Path) -> Iterator[ValkeyServer]:
    """A real Valkey server."""
    with ValkeyServer(server_folder / "valkey") as server:
        yield server


@pytest.fixture(scope="session")
def keys() -> Keys:
    """Keys of services and access tokens."""
    return Keys.generate()


@pytest.fixture(scope="session")
def services(postgres: PostgresServer, keys: Keys, server_folder: Path) -> Opener:
    """Opens services for tests."""
    return Opener(postgres, keys, server_folder / "objects")
