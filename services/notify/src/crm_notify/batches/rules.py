"""Who is told of the end of a batch of customers (design rule 7)."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

from crm.customer.v1 import customer_events_pb2 as pb
from crm_notify.notifications.rules import Kind, Notice

_OWNERS = {
    pb.CUSTOMER_BATCH_KIND_DELETE: Kind.CUSTOMERS_DELETED,
    pb.CUSTOMER_BATCH_KIND_RESTORE: Kind.CUSTOMERS_RESTORED,
    pb.CUSTOMER_BATCH_KIND_UPDATE: Kind.CUSTOMERS_CHANGED,
    pb.CUSTOMER_BATCH_KIND_TAG: Kind.CUSTOMERS_TAGGED,
}


def notices_of_customer_batch(event_id: UUID, fact: pb.CustomerBatchFinished) -> Iterator[Notice]:
    """The counts for the actor, and one for each other owner with how many of theirs it was."""
    batch_id = UUID(fact.batch_id)
    act = pb.CustomerBatchKind.Name(fact.kind).removeprefix("CUSTOMER_BATCH_KIND_").lower()
    counts = {"succeeded": fact.succeeded, "skipped": fact.skipped, "failed": fact.failed}
    summary = Notice(
        source_event_id=event_id,
        member_id=UUID(fact.actor_id),
        kind=Kind.CUSTOMER_BATCH_FINISHED,
        parameters={"cause": act, **counts},
        subject_type="customer_batch",
        subject_id=batch_id,
        batch_id=batch_id,
    )
    yield summary
    # A kind of a newer release: its owners are told nothing, rather than something wrong.
    if (kind := _OWNERS.get(fact.kind)) is not None:
        for owner in fact.owners:
            parameters = {"count": owner.customers, "actor_id": fact.actor_id}
            yield replace(summary, member_id=UUID(owner.member_id), kind=kind, parameters=parameters)
