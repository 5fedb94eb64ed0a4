"""Forgetting answers of bulk writes that nobody will ask for again."""

from datetime import timedelta

from sqlalchemy import delete, select

from chassis.clock import now
from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_customer.imports.model import BulkWriteResult

KEPT = timedelta(days=7)
_AT_ONCE = 1000


def forget_answers(runtime: Runtime) -> bool:
    """Delete answers older than 7 days; a redo after that still finds its rows by job and row. True: more is left."""
    with runtime.database.transaction() as session:
        old = (
            select(BulkWriteResult.chunk_id)
            .where(BulkWriteResult.written_at < now() - KEPT)
            .limit(_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        gone = session.scalars(
            delete(BulkWriteResult)
            .where(BulkWriteResult.chunk_id.in_(old.scalar_subquery()))
            .returning(BulkWriteResult.chunk_id)
            .execution_options(synchronize_session=False)
        ).all()
    return len(gone) == _AT_ONCE


FORGET_ANSWERS = DueTask("forget-bulk-write-answers", 3600, forget_answers)
