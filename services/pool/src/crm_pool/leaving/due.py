"""Handing over what leavers own when their day has come or as somebody chose, and listing leavers that no event told of."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from batch.model import Batch, Counts, ItemResult, Outcome
from batch.work import BatchWork
from chassis import clock
from chassis.database import after_commit
from chassis.due import DueTask
from chassis.errors import Conflict, Forbidden, NotFound
from chassis.runtime import Runtime
from crm.customer.v1.customer_events_pb2 import CustomerState
from crm_pool.assignments.clients import tell_customer
from crm_pool.assignments.due import Tell, teller
from crm_pool.assignments.rules import Cause
from crm_pool.customers.clients import facts_now
from crm_pool.leaving import commands, sharing
from crm_pool.leaving.sharing import Shared


def _hand_over(runtime: Runtime) -> bool:
    """A page. Its facts are confirmed before (design §3); while customer is away, all waits."""
    with runtime.database.transaction() as session:
        page = commands.next_page(session, clock.now())
    if page is None:
        return False
    facts = facts_now(runtime, page.customer_ids).changed
    with runtime.database.transaction() as session:
        moved = commands.hand_over_page(session, page, facts, clock.now())
        if moved:
            after_commit(session, tell_customer(runtime, page.asked_by, moved))
    return True


def _list_leavers(runtime: Runtime) -> bool:
    with runtime.database.transaction() as session:
        commands.list_missed(session, clock.now())
    return False


HAND_OVER = DueTask("hand-over", 5, _hand_over)
LIST_LEAVERS = DueTask("list-leavers", 600, _list_leavers)


def _prepare(runtime: Runtime, batch: Batch, customer_ids: Sequence[UUID]) -> tuple[Tell, Sequence[CustomerState]]:
    """The facts are confirmed before (design §3); while customer is away, the page waits."""
    return teller(runtime, batch, customer_ids), facts_now(runtime, customer_ids).changed


def _share_page(
    session: Session, batch: Batch, customer_ids: Sequence[UUID], prepared: tuple[Tell, Sequence[CustomerState]]
) -> list[ItemResult]:
    tell, facts = prepared
    try:
        shared = sharing.share_page(session, batch, customer_ids, facts, clock.now())
    except (Conflict, Forbidden, NotFound) as refusal:
        return [ItemResult.skipped(id_, refusal.code, **refusal.parameters) for id_ in customer_ids]
    changes = [one.change for one in shared if one.change]
    if changes:
        after_commit(session, tell(changes))
    results = {one.customer_id: _result(one, batch) for one in shared}
    return [results.get(id_) or ItemResult.skipped(id_, "no_longer_theirs") for id_ in customer_ids]


def _result(one: Shared, batch: Batch) -> ItemResult:
    if one.change is None:
        return ItemResult.skipped(one.customer_id, one.code)
    owner_id = one.change.assignment.owner_id
    owners = {"owner_id": str(owner_id) if owner_id else None, "former_owner_id": batch.parameters["leaver_id"]}
    return ItemResult(one.customer_id, Outcome.DONE, one.code, owners)


def _finish_sharing(session: Session, batch: Batch, counts: Counts) -> None:
    sharing.finish(session, batch, counts, clock.now())


SHARING = BatchWork(Cause.HANDOVER.value, _share_page, _prepare, _finish_sharing)
