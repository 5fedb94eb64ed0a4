"""Letting announced rules take effect on their day."""

from chassis import clock
from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_pool.recycle_rules import commands


def _apply(runtime: Runtime) -> bool:
    with runtime.database.transaction() as session:
        commands.let_take_effect(session, clock.now())
    return False


APPLY_RULES = DueTask("apply-rules", 60, _apply)
