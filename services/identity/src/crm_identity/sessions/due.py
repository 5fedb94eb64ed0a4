"""Sessions by time."""

from datetime import timedelta

from sqlalchemy import delete, or_, select

from chassis import clock
from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_identity.sessions.model import LoginSession

_KEPT = timedelta(days=30)
_BATCH = 5000


def _forget(runtime: Runtime) -> bool:
    """Delete sessions that have been over for 30 days; the audit keeps that they were."""
    before = clock.now() - _KEPT
    over = or_(LoginSession.expires_at < before, LoginSession.ended_at < before)
    with runtime.database.transaction() as session:
        ids = select(LoginSession.id).where(over).limit(_BATCH).with_for_update(skip_locked=True)
        gone = session.scalars(delete(LoginSession).where(LoginSession.id.in_(ids)).returning(LoginSession.id)).all()
    return len(gone) == _BATCH


FORGET_SESSIONS = DueTask("forget-sessions", 3600, _forget)
