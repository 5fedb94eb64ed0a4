"""PostgreSQL: engine, sessions and transactions.

A transaction is opened by the edge alone (HTTP view, gRPC method, consumer, due task). Inside one, no
remote call may be made: `in_transaction` lets the gRPC client refuse it.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

from psycopg.types.array import ListBinaryDumper
from sqlalchemy import Engine, MetaData, create_engine, event, text
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from chassis.errors import Unavailable
from chassis.logs import get_logger

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
_AFTER_COMMIT = "after_commit"
_IDLE_SECONDS = 1.0
_DEADLOCK = "40P01"
_TIMEOUTS = {"statement_timeout": "30s", "idle_in_transaction_session_timeout": "60s"}
# A process whose machine or network is gone says no farewell: PostgreSQL would keep its locks for a quarter of an hour.
_GONE = {
    "tcp_user_timeout": "10s",
    "tcp_keepalives_idle": "10s",
    "tcp_keepalives_interval": "5s",
    "tcp_keepalives_count": "3",
}
_depth: ContextVar[int] = ContextVar("transaction_depth", default=0)
log = get_logger(__name__)


def new_metadata() -> MetaData:
    """Metadata with the house's constraint names."""
    return MetaData(naming_convention=NAMING)


def in_transaction() -> bool:
    """Whether this thread of execution has a database transaction open."""
    return _depth.get() > 0


def after_commit(session: Session, action: Callable[[], None]) -> None:
    """Run `action` once the session's transaction has committed; its failure is logged, never raised."""
    session.info.setdefault(_AFTER_COMMIT, []).append(action)


def try_lock(session: Session, name: str) -> bool:
    """Take the transaction lock `name` if nobody holds it: for work that must run once at a time."""
    found = session.scalar(text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})
    return bool(found)


def lock(session: Session, name: str) -> None:
    """Wait for the transaction lock `name`."""
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


class Database:
    """A service's own database."""

    def __init__(self, url: str, connections: int = 5) -> None:
        """`url` is postgresql://…; `connections` the most that are open at once."""
        self.url = url
        self.engine: Engine = create_engine(
            url.replace("postgresql://", "postgresql+psycopg://", 1),
            pool_size=connections,
            max_overflow=0,
            pool_timeout=1,
            hide_parameters=True,  # errors are logged; what users wrote is not
            connect_args={
                "connect_timeout": 3,
                "options": _options({"timezone": "UTC", **_TIMEOUTS, **_GONE}),
                "tcp_user_timeout": 15_000,
            },
        )
        event.listen(self.engine, "connect", _send_lists_as_binary)
        _ping_idle_connections(self.engine)
        self._reading = self.engine.execution_options(postgresql_readonly=True)
        self._glancing = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One read-write transaction: commits at the end, rolls back on any exception.

        Raises Unavailable when the database is away or every connection is taken.
        """
        with _entered(), _availability(), Session(self.engine, expire_on_commit=False) as session:
            with session.begin():
                yield session
            actions = cast(list[Callable[[], None]], session.info.pop(_AFTER_COMMIT, []))
        for action in actions:
            try:
                action()
            except Exception:
                log.warning("after_commit_failed", exc_info=True)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One read-only transaction."""
        with _entered(), _availability(), Session(self._reading, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def glance(self) -> Iterator[Session]:
        """For one statement that reads: without a transaction around it, whose begin and end would each ask PostgreSQL.
        What writes would be committed at once.

        Raises Unavailable as `transaction` does.
        """
        with _entered(), _availability(), Session(self._glancing, expire_on_commit=False) as session:
            yield session

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _options(settings: Mapping[str, str]) -> str:
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def _send_lists_as_binary(connection: Any, _: Any) -> None:
    """Sets of rows travel as a list per column: as text, each value would be searched for what is to be quoted (a list of
    500 moments costs 2.1 ms so, 0.2 ms as binary).
    """
    connection.adapters.register_dumper(list, ListBinaryDumper)


def _ping_idle_connections(engine: Engine) -> None:
    """Look whether a connection still works before it is used again, unless it did a moment ago: a request takes
    several, and a ping costs as much as a small statement. When one is broken, all are made anew.
    """

    def used(_: Any, record: Any) -> None:
        record.info["used_at"] = time.monotonic()

    def look(connection: Any, record: Any, _: Any) -> None:
        idle_seconds = time.monotonic() - record.info.pop("used_at", time.monotonic())
        if idle_seconds > _IDLE_SECONDS:
            try:
                engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error as error:
                raise InvalidatePoolError("the connection is broken") from error

    event.listen(engine, "checkin", used)
    event.listen(engine, "checkout", look)


@contextmanager
def _entered() -> Iterator[None]:
    token = _depth.set(_depth.get() + 1)
    try:
        yield
    finally:
        _depth.reset(token)


def _sqlstate(error: DBAPIError) -> Any:
    return getattr(error.orig, "sqlstate", None)


@contextmanager
def _availability() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable("overloaded", retry_after_seconds=1) from error
    except OperationalError as error:
        if is_connection_loss(error):
            raise Unavailable("database_unavailable", retry_after_seconds=2) from error
        if _sqlstate(error) == _DEADLOCK:
            # The other one went on; nothing of this one is kept, and once more it gets through.
            raise Unavailable("overloaded", retry_after_seconds=1) from error
        raise


def is_connection_loss(error: DBAPIError) -> bool:
    """Whether the statement failed because the server is away or going away, not because it was wrong."""
    sqlstate = _sqlstate(error)
    return error.connection_invalidated or sqlstate is None or str(sqlstate).startswith(("08", "57P"))
