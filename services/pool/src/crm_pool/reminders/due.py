"""Reminding of what expires soon, and forgetting who was."""

from chassis import clock
from chassis.days import day_of
from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_pool.reminders import commands
from directory.scope import zone_of


def _remind(runtime: Runtime) -> bool:
    with runtime.database.transaction() as session:
        return commands.remind(session, clock.now())


def _forget(runtime: Runtime) -> bool:
    with runtime.database.transaction() as session:
        commands.forget_digests(session, day_of(clock.now(), zone_of(session)))
    return False


REMIND = DueTask("remind-of-expiry", 60, _remind)
FORGET_DIGESTS = DueTask("forget-expiry-digests", 3600, _forget)
