"""Rehearsing in the background, and forgetting what was found."""

from chassis import clock
from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_pool.rehearsals import commands


def _rehearse(runtime: Runtime) -> bool:
    with runtime.database.transaction() as session:
        return commands.rehearse_page(session, clock.now())


def _forget(runtime: Runtime) -> bool:
    with runtime.database.transaction() as session:
        return commands.forget(session, clock.now())


REHEARSE = DueTask("rehearse", 2, _rehearse)
FORGET_REHEARSALS = DueTask("forget-rehearsals", 3600, _forget)
