"""Forgetting what was asked about duplicates long ago."""

from datetime import timedelta

from sqlalchemy import delete, select

from chassis.clock import now
from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_customer.duplicates.model import DuplicateCheck

KEPT = timedelta(days=180)
_AT_ONCE = 1000


def forget_duplicate_checks(runtime: Runtime) -> bool:
    """Delete checks older than 180 days. True: more is left."""
    with runtime.database.transaction() as session:
        old = (
            select(DuplicateCheck.id)
            .where(DuplicateCheck.asked_at < now() - KEPT)
            .order_by(DuplicateCheck.asked_at)
            .limit(_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        gone = delete(DuplicateCheck).where(DuplicateCheck.id.in_(old.scalar_subquery())).returning(DuplicateCheck.id)
        return len(session.scalars(gone.execution_options(synchronize_session=False)).all()) == _AT_ONCE


FORGET_CHECKS = DueTask("forget-duplicate-checks", 3600, forget_duplicate_checks)
