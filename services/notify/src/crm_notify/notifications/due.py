"""Showing again what was snoozed, and forgetting what is kept no longer."""

from sqlalchemy import text

from chassis import clock
from chassis.database import try_lock
from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_notify.notifications.commands import wake

_WOKEN_AT_ONCE = 500
# Deliveries go with their notification.
_FORGET = text(
    "DELETE FROM notifications WHERE id IN"
    " (SELECT id FROM notifications WHERE created_at < now() - interval '180 days' LIMIT 5000) RETURNING 1"
)


def forget_old(runtime: Runtime) -> bool:
    """Delete notifications and their deliveries after 180 days (design §5, Kept), 5,000 at a time."""
    with runtime.database.transaction() as session:
        return try_lock(session, "forget-old") and len(session.execute(_FORGET).all()) == 5000


FORGET_OLD = DueTask("forget-old", 600, forget_old)


def wake_snoozed(runtime: Runtime) -> bool:
    """Show again what was snoozed until now (K-14), 500 at a time."""
    with runtime.database.transaction() as session:
        return wake(session, clock.now(), _WOKEN_AT_ONCE) == _WOKEN_AT_ONCE


WAKE_SNOOZED = DueTask("wake-snoozed", 5, wake_snoozed)
