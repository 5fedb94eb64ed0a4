"""Real servers: who can connect, who can publish, and that data survives a kill."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import nats
import psycopg
import pytest
import redis
from nats.errors import Error as NatsError

from highsea_local.files import workspace
from highsea_local.servers import NatsServer, PostgresServer, ServerFailed, ValkeyServer, service_users

SERVICES = ("identity", "customer", "pool", "import", "notify")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with workspace() as path:
        yield path


@pytest.fixture(scope="module")
def postgres(folder: Path) -> Iterator[PostgresServer]:
    with PostgresServer(folder / "postgres", durable=False) as server:
        yield server


@pytest.fixture(scope="module")
def broker(folder: Path) -> Iterator[NatsServer]:
    users = service_users({name: f"{name}-secret" for name in (*SERVICES, "admin")})
    with NatsServer(folder / "nats", users=users) as server:
        yield server


def test_cluster_speaks_chinese_and_counts_in_utc(postgres: PostgresServer) -> None:
    with psycopg.connect(postgres.superuser_url) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        row = connection.execute(
            "SELECT show_trgm('华') <> '{}', current_setting('timezone'), current_setting('server_encoding'),"
            " current_setting('server_version_num')::int / 10000, current_setting('listen_addresses')"
        ).fetchone()

    assert row == (True, "UTC", "UTF8", 18, "127.0.0.1")


def test_role_enters_its_own_database_only(postgres: PostgresServer) -> None:
    postgres.create_database("customer", "customer", "c-secret")
    pool_url = postgres.create_database("pool", "pool", "p@:/-secret")

    with psycopg.connect(pool_url) as connection:
        connection.execute("CREATE TABLE mine (id int)")
    for database in ("customer", "postgres", "template1"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(postgres.url(database, "pool", "p@:/-secret"))
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.url("customer", "customer", "wrong"))


def test_database_creation_repeats_and_keeps_what_is_there(postgres: PostgresServer) -> None:
    first = postgres.create_database("shape", "shape", "one")
    with psycopg.connect(first) as connection:
        connection.execute("CREATE TABLE thing AS SELECT 42 AS answer")

    again = postgres.create_database("shape", "shape", "two")

    assert again != first
    with psycopg.connect(again) as connection:
        assert connection.execute("SELECT answer FROM thing").fetchone() == (42,)


def test_committed_rows_survive_a_kill(folder: Path) -> None:
    with PostgresServer(folder / "killed") as server:
        url = server.create_database("kept", "kept", "secret")
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS one")

        server.kill()
        assert not server.is_ready()
        server.start()
        server.wait_ready()

        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


def test_cluster_of_another_major_version_is_refused(folder: Path) -> None:
    old = folder / "old"
    old.mkdir(mode=0o700)
    (old / "PG_VERSION").write_text("17\n")

    with pytest.raises(ServerFailed, match="written by version 17, not 18"):
        PostgresServer(old).start()


def test_service_publishes_only_its_own_subjects(broker: NatsServer) -> None:
    async def publish(user: str, stream: str, subject: str) -> list[str]:
        refusals: list[str] = []

        async def refused(error: Exception) -> None:
            refusals.append(str(error))

        connection = await nats.connect(broker.url(user), error_cb=refused)
        jetstream = connection.jetstream(timeout=0.5)
        try:
            await jetstream.add_stream(name=stream, subjects=[subject])
            await jetstream.publish(subject, b"x")
        except (NatsError, TimeoutError) as error:
            refusals.append(str(error))
        finally:
            await connection.close()
        return refusals

    assert asyncio.run(publish("pool", "CRM_POOL", "crm.pool.v1.customer_claimed")) == []
    refusals = asyncio.run(publish("pool", "CRM_CUSTOMER", "crm.customer.v1.x"))
    assert any("permissions violation" in text for text in refusals)


def test_foreign_publish_never_reaches_a_subscriber(broker: NatsServer) -> None:
    async def scenario() -> list[str]:
        seen: list[str] = []

        async def notice(message: nats.aio.msg.Msg) -> None:
            seen.append(message.subject)

        async def ignore(error: Exception) -> None:
            pass

        admin = await nats.connect(broker.url())
        await admin.subscribe("crm.>", cb=notice)
        await admin.flush()
        for user, subject in (("pool", "crm.customer.v1.x"), ("pool", "crm.push.all"), ("notify", "crm.push.all")):
            connection = await nats.connect(broker.url(user), error_cb=ignore)
            await connection.publish(subject, b"x")
            await connection.flush()
            await connection.close()
        # What was said before has arrived once the server answers; draining alone may lose it.
        await admin.flush()
        await admin.drain()
        return seen

    assert asyncio.run(scenario()) == ["crm.push.all"]


def test_stream_outlives_a_restart_of_the_broker(folder: Path) -> None:
    async def write(url: str) -> None:
        connection = await nats.connect(url)
        await connection.jetstream().add_stream(name="KEPT", subjects=["kept"])
        await connection.jetstream().publish("kept", b"x")
        await connection.close()

    async def count(url: str) -> int:
        connection = await nats.connect(url)
        info = await connection.jetstream().stream_info("KEPT")
        await connection.close()
        return info.state.messages

    with NatsServer(folder / "kept-nats") as server:
        asyncio.run(write(server.url()))
        server.restart()
        assert asyncio.run(count(server.url())) == 1


def test_valkey_wants_its_password(folder: Path) -> None:
    with ValkeyServer(folder / "valkey", password="s3cret") as server:
        with redis.Redis.from_url(server.url) as client:
            assert client.ping()
        with (
            redis.Redis(host="127.0.0.1", port=server.port) as stranger,
            pytest.raises(redis.AuthenticationError),
        ):
            stranger.ping()


def test_paused_server_answers_again_after_resume(folder: Path) -> None:
    with ValkeyServer(folder / "paused") as server:
        server.pause()
        assert not server.is_ready()
        server.resume()
        server.wait_ready()


def test_failed_start_names_the_log_and_its_last_lines(folder: Path) -> None:
    server = NatsServer(folder / "broken", monitor_port=1_000_000)

    with pytest.raises(ServerFailed, match=r"nats ended with exit code 1; see .*broken\.log\n    "):
        server.__enter__()
