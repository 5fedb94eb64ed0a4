"""Letting announced rules take effect on their day, and computing days anew when what they depend on has changed."""

from chassis import clock
from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_pool.recycle_rules import commands, recomputing


def _apply(runtime: Runtime) -> bool:
    with runtime.database.transaction() as session:
        commands.let_take_effect(session, clock.now())
    with runtime.database.transaction() as session:
        recomputing.begin(session, clock.now())
    with runtime.database.transaction() as session:
        return recomputing.compute_page(session, clock.now())


def _forget(runtime: Runtime) -> bool:
    with runtime.database.transaction() as session:
        return commands.forget(session, clock.now())


APPLY_RULES = DueTask("apply-rules", 60, _apply)
FORGET_SHADOWS = DueTask("forget-shadows", 3600, _forget)
