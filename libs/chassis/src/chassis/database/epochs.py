"""Epochs of versions (docs/decisions/0004): a restored database is lifted above all that it ever said before."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import InstrumentedAttribute, Session

EPOCH = 2**40
_OTHERS = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
)

Version = InstrumentedAttribute[int]


def others_connected(session: Session) -> int:
    """Connections of this service to this database besides our own: each may hold a version it is about to write."""
    return session.scalar(_OTHERS) or 0


def raise_epoch(session: Session, versions: Sequence[Version]) -> dict[str, tuple[int, int]]:
    """Add an epoch to each version; returns (rows, highest epoch now) by column."""
    # Every row is written anew, which in large tables takes longer than a request may.
    session.execute(text("SET LOCAL statement_timeout = 0"))
    raised = {}
    for version in versions:
        lifted: Any = session.execute(update(version.class_).values({version: version + EPOCH}))
        highest = session.scalar(select(func.max(version))) or 0
        raised[f"{version.class_.__tablename__}.{version.key}"] = (lifted.rowcount, highest // EPOCH)
    return raised
