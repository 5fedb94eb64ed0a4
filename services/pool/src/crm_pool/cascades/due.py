"""Moving on what nobody claims, from the time of day on at which runs begin."""

from chassis import clock
from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_pool.cascades import commands


def _cascade(runtime: Runtime) -> bool:
    with runtime.database.transaction() as session:
        return bool(commands.cascade(session, clock.now()))


CASCADE = DueTask("cascade", 60, _cascade)
