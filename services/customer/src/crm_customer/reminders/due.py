"""Telling each member once a day what is due, and forgetting who was told."""

from chassis import clock
from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_customer.reminders import commands


def _send(runtime: Runtime) -> bool:
    with runtime.database.transaction() as session:
        return commands.send_digests(session, clock.now())


def _forget(runtime: Runtime) -> bool:
    with runtime.database.transaction() as session:
        commands.forget_digests(session, commands.today_of(session, clock.now())[0].today)
    return False


SEND_DIGESTS = DueTask("send-work-digests", 60, _send)
FORGET_DIGESTS = DueTask("forget-work-digests", 3600, _forget)
