"""Handing over what leavers own when their day has come, and listing leavers that no event told of."""

from chassis import clock
from chassis.database import after_commit
from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_pool.assignments.clients import tell_customer
from crm_pool.leaving import commands


def _hand_over(runtime: Runtime) -> bool:
    with runtime.database.transaction() as session:
        moved = commands.hand_over_page(session, clock.now())
        if moved:
            after_commit(session, tell_customer(runtime, moved))
    return moved is not None


def _list_leavers(runtime: Runtime) -> bool:
    with runtime.database.transaction() as session:
        commands.list_missed(session, clock.now())
    return False


HAND_OVER = DueTask("hand-over", 5, _hand_over)
LIST_LEAVERS = DueTask("list-leavers", 600, _list_leavers)
