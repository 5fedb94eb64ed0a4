"""Moving on what nobody claims, from the time of day on at which runs begin."""

from chassis import clock
from chassis.database import after_commit
from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_pool.assignments.clients import tell_customer
from crm_pool.cascades import commands


def _cascade(runtime: Runtime) -> bool:
    with runtime.database.transaction() as session:
        moved = commands.cascade(session, clock.now())
        if moved:
            after_commit(session, tell_customer(runtime, None, moved))
    return bool(moved)


CASCADE = DueTask("cascade", 60, _cascade)
