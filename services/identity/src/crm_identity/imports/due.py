"""Forgetting answers of bulk writes that nobody will ask for again."""

from datetime import timedelta

from sqlalchemy import delete, select

from chassis.clock import now
from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_identity.imports.model import BulkWriteResult

KEPT = timedelta(days=7)
_AT_ONCE = 1000


def _forget(runtime: Runtime) -> bool:
    """Delete answers older than 7 days; chunks are repeated within minutes."""
    with runtime.database.transaction() as session:
        old = (
            select(BulkWriteResult.chunk_id)
            .where(BulkWriteResult.written_at < now() - KEPT)
            .limit(_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        gone = session.scalars(
            delete(BulkWriteResult).where(BulkWriteResult.chunk_id.in_(old)).returning(BulkWriteResult.chunk_id)
        ).all()
    return len(gone) == _AT_ONCE


FORGET_ANSWERS = DueTask("forget-bulk-write-answers", 3600, _forget)
