"""Forgetting what is kept no longer."""

from sqlalchemy import text

from chassis.database import try_lock
from chassis.due import DueTask
from chassis.runtime import Runtime

# Deliveries go with their notification.
_FORGET = text(
    "DELETE FROM notifications WHERE id IN"
    " (SELECT id FROM notifications WHERE created_at < now() - interval '180 days' LIMIT 5000) RETURNING 1"
)


def forget_old(runtime: Runtime) -> bool:
    """Delete notifications and deliveries after 180 days (design §5, Kept), 5,000 at a time."""
    with runtime.database.transaction() as session:
        return try_lock(session, "forget-old") and len(session.execute(_FORGET).all()) == 5000


FORGET_OLD = DueTask("forget-old", 600, forget_old)
