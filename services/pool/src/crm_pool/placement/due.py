"""Plans that no import committed."""

from chassis import clock
from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_pool.placement import plans


def _forget_plans(runtime: Runtime) -> bool:
    with runtime.database.transaction() as session:
        plans.forget_plans(session, clock.now())
    return False


FORGET_PLANS = DueTask("forget-placement-plans", 3600, _forget_plans)
