"""Catching up with effects of changes of place that were missed."""

from chassis.clock import now
from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_customer.effects.commands import apply_effects, move_of
from crm_customer.effects.queries import missed
from crm_customer.ownership.clients import changes_after


def catch_up(runtime: Runtime) -> bool:
    """Ask pool what happened to customers whose place is further than its effects, and apply it in order. True: more
    are waiting. Raises Unavailable when pool is away; nothing is applied then.
    """
    with runtime.database.reading() as session:
        behind, more = missed(session)
    if behind:
        moves = [move_of(one.change, one.actor_id) for one in changes_after(runtime, behind)]
        with runtime.database.transaction() as session:
            apply_effects(session, moves, now(), complete={one.customer_id: one.assignment_version for one in behind})
    return more


CATCH_UP = DueTask("catch-up-effects", 60, catch_up)
