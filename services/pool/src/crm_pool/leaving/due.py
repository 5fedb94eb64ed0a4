"""Handing over what leavers own when their day has come, and listing leavers that no event told of."""

from chassis import clock
from chassis.database import after_commit
from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_pool.assignments.clients import tell_customer
from crm_pool.customers.clients import facts_now
from crm_pool.customers.projection import customer_row
from crm_pool.leaving import commands


def _hand_over(runtime: Runtime) -> bool:
    """A page. Its facts are confirmed before (design §3); while customer is away, all waits."""
    with runtime.database.transaction() as session:
        page = commands.next_page(session, clock.now())
    if page is None:
        return False
    facts = facts_now(runtime, page.customer_ids) if page.customer_ids else []
    with runtime.database.transaction() as session:
        moved = commands.hand_over_page(session, page, [customer_row(state) for state in facts], clock.now())
        if moved:
            after_commit(session, tell_customer(runtime, page.asked_by, moved))
    return True


def _list_leavers(runtime: Runtime) -> bool:
    with runtime.database.transaction() as session:
        commands.list_missed(session, clock.now())
    return False


HAND_OVER = DueTask("hand-over", 5, _hand_over)
LIST_LEAVERS = DueTask("list-leavers", 600, _list_leavers)
