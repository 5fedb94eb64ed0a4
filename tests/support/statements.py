"""Listens to what is asked of a database."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event

from chassis.database import Database


@contextmanager
def statements_of(database: Database) -> Iterator[list[str]]:
    """The statements sent to the database inside the block."""
    sent: list[str] = []
    listen = lambda *given: sent.append(given[2])
    event.listen(database.engine, "before_cursor_execute", listen)
    try:
        yield sent
    finally:
        event.remove(database.engine, "before_cursor_execute", listen)


@contextmanager
def failing_at(database: Database, place: int) -> Iterator[list[str]]:
    """The statement number `place` of the block, counted from 0, fails as if the process had died there; it is what the list
    then holds.
    """
    failed: list[str] = []
    sent = 0

    def count(*given: object) -> None:
        nonlocal sent
        if sent == place:
            failed.append(str(given[2]))
            raise ConnectionError
        sent += 1

    event.listen(database.engine, "before_cursor_execute", count)
    try:
        yield failed
    finally:
        event.remove(database.engine, "before_cursor_execute", count)
