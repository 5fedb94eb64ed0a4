"""Telling what was announced."""

from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_notify.announcements.commands import step
from crm_notify.telling.events import mail_domain


def tell_announced(runtime: Runtime) -> bool:
    """One step of what is under way, in a transaction of its own."""
    with runtime.database.transaction() as session:
        return step(session, mail_domain(runtime))


TELL_ANNOUNCED = DueTask("tell-announced", 1, tell_announced)
