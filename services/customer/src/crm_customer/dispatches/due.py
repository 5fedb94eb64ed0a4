"""Dispatches in the background, a page of customers per transaction; one closing event tells of all of it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from batch.model import Batch, Counts, ItemResult
from batch.queries import tally
from batch.work import BatchWork
from chassis import clock
from chassis.errors import Forbidden
from chassis.events.outbox import record_event
from crm.customer.v1 import customer_events_pb2 as pb
from crm_customer.batches.queries import acting
from crm_customer.customers.projection import stamp
from crm_customer.dispatches.commands import KIND, give_page
from crm_customer.dispatches.model import Dispatch
from directory.permissions import Permission


def _give(session: Session, batch: Batch, customer_ids: Sequence[UUID], _prepared: Any) -> list[ItemResult]:
    """Whoever lost the right, or left, gets the reason for every customer that is left."""
    try:
        sight = acting(session, batch.actor_id, Permission.POOL_ASSIGN)
    except Forbidden as refusal:
        return [ItemResult.skipped(id_, refusal.code, **refusal.parameters) for id_ in customer_ids]
    return give_page(session, sight, batch, customer_ids, clock.now())


def _finish(session: Session, batch: Batch, counts: Counts) -> None:
    dispatch = session.get_one(Dispatch, batch.id)
    handlers = {id_: tasks for id_, tasks in tally(session, batch.id, "handler_id").items() if id_}
    dispatched = pb.TasksDispatched(
        dispatch_id=str(batch.id),
        subject=dispatch.subject,
        actor_id=str(batch.actor_id),
        due_at=stamp(dispatch.due_at),
        succeeded=counts.done,
        skipped=counts.skipped,
        failed=counts.failed,
        handlers=[pb.HandlerCount(member_id=id_, tasks=handlers[id_]) for id_ in sorted(handlers)],
    )
    record_event(session, dispatched)


DISPATCHES = BatchWork(KIND, _give, finish=_finish)
