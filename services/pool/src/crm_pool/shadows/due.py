"""Letting versions in the shadow look at all customers, once a day."""

from chassis import clock
from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_pool.shadows import commands


def _watch(runtime: Runtime) -> bool:
    with runtime.database.transaction() as session:
        return commands.walk_page(session, clock.now())


WATCH_SHADOWS = DueTask("watch-shadows", 60, _watch)
