"""Forgetting looks that no budget counts any more; the audit keeps them."""

from datetime import timedelta

from sqlalchemy import delete, select, tuple_

from chassis.clock import now
from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_customer.reveals.model import Reveal

KEPT = timedelta(days=7)
_AT_ONCE = 1000


def forget_reveals(runtime: Runtime) -> bool:
    """Delete looks older than 7 days. True: more is left."""
    key = (Reveal.member_id, Reveal.pool_id, Reveal.day, Reveal.contact_id)
    with runtime.database.transaction() as session:
        old = select(*key).where(Reveal.at < now() - KEPT).limit(_AT_ONCE).with_for_update(skip_locked=True)
        gone = delete(Reveal).where(tuple_(*key).in_(old)).returning(Reveal.at)
        return len(session.scalars(gone.execution_options(synchronize_session=False)).all()) == _AT_ONCE


FORGET_REVEALS = DueTask("forget-reveals", 3600, forget_reveals)
