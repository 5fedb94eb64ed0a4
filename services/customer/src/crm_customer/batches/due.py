"""Batches of customers in the background, a page per transaction; one closing event tells of each (design rule 7)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast
from uuid import UUID

from sqlalchemy.orm import Session

from batch.model import Batch, Counts, ItemResult
from batch.queries import tally
from batch.work import BatchWork
from chassis import clock
from chassis.errors import Conflict, Forbidden
from chassis.events.outbox import record_event
from chassis.runtime import Runtime
from crm.customer.v1 import customer_events_pb2 as pb
from crm_customer.batches import commands
from crm_customer.batches.commands import Page
from crm_customer.batches.queries import acting
from crm_customer.batches.rules import Act
from crm_customer.customers.queries import load_reference
from crm_customer.settings import Settings
from directory.permissions import Permission


@dataclass(frozen=True)
class _Work:
    """The permission that an act needs, what does it to a page, and how the closing event calls it."""

    permission: str
    do: Callable[[Session, Page], list[ItemResult]]
    kind: pb.CustomerBatchKind.ValueType


_WORKS: Mapping[Act, _Work] = {
    Act.DELETE: _Work(Permission.CUSTOMER_DELETE, commands.delete_page, pb.CUSTOMER_BATCH_KIND_DELETE),
    Act.RESTORE: _Work(Permission.CUSTOMER_DELETE, commands.restore_page, pb.CUSTOMER_BATCH_KIND_RESTORE),
    Act.UPDATE: _Work(Permission.CUSTOMER_UPDATE, commands.update_page, pb.CUSTOMER_BATCH_KIND_UPDATE),
    Act.TAG: _Work(Permission.CUSTOMER_UPDATE, commands.tag_page, pb.CUSTOMER_BATCH_KIND_TAG),
}


def _mobile_pattern(runtime: Runtime, _batch: Batch, _customer_ids: Sequence[UUID]) -> str:
    return cast(Settings, runtime.settings).mobile_pattern


def _work_page(
    work: _Work, session: Session, batch: Batch, customer_ids: Sequence[UUID], mobile_pattern: str
) -> list[ItemResult]:
    """Whoever lost the right, or whose batch has lost its sense, gets the reason for every customer that is left."""
    try:
        sight = acting(session, batch.actor_id, work.permission)
        reference = load_reference(session, mobile_pattern)
        return work.do(session, Page(batch, sight, customer_ids, reference, clock.now()))
    except (Forbidden, Conflict) as refusal:
        return [ItemResult.skipped(id_, refusal.code, **refusal.parameters) for id_ in customer_ids]


def _finish(work: _Work, session: Session, batch: Batch, counts: Counts) -> None:
    owners = tally(session, batch.id, "owner_id")
    told = {id_: count for id_, count in owners.items() if id_ and id_ != str(batch.actor_id)}
    finished = pb.CustomerBatchFinished(
        batch_id=str(batch.id),
        kind=work.kind,
        actor_id=str(batch.actor_id),
        succeeded=counts.done,
        skipped=counts.skipped,
        failed=counts.failed,
        owners=[pb.OwnerCount(member_id=id_, customers=told[id_]) for id_ in sorted(told)],
    )
    record_event(session, finished)


CUSTOMER_BATCHES = [
    BatchWork(act.value, partial(_work_page, work), _mobile_pattern, partial(_finish, work))
    for act, work in _WORKS.items()
]
