"""Connections: those that PostgreSQL has closed meanwhile are found out before they are used again, or it is said so; lists
travel as they are.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from threading import Barrier
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.pq import TransactionStatus
from sqlalchemy import Boolean, Column, Integer, MetaData, Table, Text, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from chassis import database
from chassis.database.rows import insert_rows
from chassis.errors import Unavailable
from tests.support.services import OpenService


@pytest.fixture
def closed(sample: OpenService) -> Callable[[], None]:
    """Lets PostgreSQL close every connection of the pool, as a restart does."""

    def close() -> None:
        with psycopg.connect(sample.database.url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    return close


def _backend(sample: OpenService) -> int:
    with sample.database.reading() as session:
        return int(session.scalar(text("SELECT pg_backend_pid()")) or 0)


def test_idle_connections_that_are_broken_are_made_anew_and_nobody_notices(
    sample: OpenService, closed: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _backend(sample)
    closed()
    monkeypatch.setattr(database, "_IDLE_SECONDS", 0.0)

    assert _backend(sample) not in (0, before)


def test_a_connection_that_breaks_a_moment_after_use_fails_one_request_alone(
    sample: OpenService, closed: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_IDLE_SECONDS", 3600.0)
    with sample.database.reading(), sample.database.reading():
        pass
    closed()

    with pytest.raises(Unavailable) as refused:
        _backend(sample)

    assert (refused.value.code, refused.value.retry_after_seconds) == ("database_unavailable", 2)
    assert [_backend(sample) > 0 for _ in range(3)] == [True] * 3


def test_a_glance_opens_no_transaction_and_what_comes_after_it_does(sample: OpenService) -> None:
    def status(session: Session) -> Any:
        session.scalar(text("SELECT 1"))
        connection: Any = session.connection().connection.driver_connection
        return connection.info.transaction_status

    backend = _backend(sample)
    with sample.database.glance() as session:
        assert status(session) is TransactionStatus.IDLE
    with sample.database.reading() as session:
        assert status(session) is TransactionStatus.INTRANS
    assert _backend(sample) == backend


def test_of_two_transactions_that_wait_for_each_other_one_goes_on_and_the_other_is_to_come_again(
    sample: OpenService,
) -> None:
    both_hold_one = Barrier(2)

    def take(first: int, second: int) -> str:
        try:
            with sample.database.transaction() as session:
                for key in (first, second):
                    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
                    if key == first:
                        both_hold_one.wait(30)
        except Unavailable as refused:
            return refused.code
        return "done"

    with ThreadPoolExecutor(2) as threads:
        ended = sorted(threads.map(take, (1, 2), (2, 1)))

    assert ended == ["done", "overloaded"]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("uuid", [UUID(int=1), None, UUID(int=2**128 - 1)]),
        ("text", ["", "null", None, 'a "quoted", {braced} \\ 名']),
        ("bigint", [0, -1, 2**40]),
        ("timestamptz", [datetime(2026, 11, 26, 1, 2, 3, 456789, UTC), datetime.max.replace(tzinfo=UTC)]),
        ("date", [date.min, None, date.max]),
        ("boolean", [True, False, None]),
        ("numeric", [Decimal("0.10"), Decimal(-12345678901234567890)]),
        ("uuid", [None, None]),
        ("timestamptz", []),
    ],
)
def test_lists_of_every_kind_arrive_as_they_were(sample: OpenService, kind: str, values: list[Any]) -> None:
    with sample.database.reading() as session:
        assert session.scalar(text(f"SELECT CAST(:values AS {kind}[])"), {"values": values}) == values


@pytest.mark.parametrize(
    "rows",
    [
        [(1, None, None, None)],
        [(1, "a", True, [1])],
        [(1, None, None, None), (2, None, None, None)],
        [(1, "a", True, []), (2, "a", True, [])],
        [(1, "a", False, [1]), (2, None, True, [True]), (3, "a", None, {})],
    ],
)
def test_rows_arrive_as_they_were_whatever_they_share(sample: OpenService, rows: list[tuple[Any, ...]]) -> None:
    columns = (Column("id", Integer), Column("name", Text), Column("done", Boolean), Column("more", JSONB(True)))
    table = Table("given_rows", MetaData(), *columns)
    with sample.database.transaction() as session:
        session.execute(text("CREATE TEMPORARY TABLE given_rows (id int, name text, done boolean, more jsonb)"))
        insert_rows(session, table, [dict(zip(table.c.keys(), row, strict=True)) for row in rows])

        found = session.execute(select(table).order_by(table.c.id)).all()
        assert [repr(tuple(row)) for row in found] == [repr(row) for row in rows]
