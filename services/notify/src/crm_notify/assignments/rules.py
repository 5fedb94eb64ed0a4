"""Who is told what of a change of ownership (C-35, K-15, design §2.7)."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

from google.protobuf.message import Message

from crm.pool.v1 import pool_events_pb2 as pb
from crm_notify.notifications.rules import Kind, Notice, Wish

Fact = pb.AssignmentsChanged | pb.AssignmentBatchFinished
# A shorter batch without skips was answered on the spot: its result needs no summary.
_SUMMARY_ABOVE = 20
# What new owners are told, as far as the operator wished it; a claim is one's own act.
_RECEIVED = {
    pb.CAUSE_ASSIGN: Kind.CUSTOMERS_ASSIGNED,
    pb.CAUSE_TRANSFER: Kind.CUSTOMERS_TRANSFERRED_IN,
    pb.CAUSE_HANDOVER: Kind.CUSTOMERS_TAKEN_OVER,
    pb.CAUSE_UNDO: Kind.CUSTOMERS_RETURNED,
}
# What former owners are told, whatever the operator wished.
_LOST = {
    pb.CAUSE_TRANSFER: Kind.CUSTOMERS_TRANSFERRED_OUT,
    pb.CAUSE_RELEASE: Kind.CUSTOMERS_RELEASED,
    pb.CAUSE_RECYCLE: Kind.CUSTOMERS_RECYCLED,
    pb.CAUSE_HANDOVER: Kind.CUSTOMERS_HANDED_OVER,
}


def concerns_somebody(fact: Message) -> bool:
    """Whether anybody might be told of it: of a claim, a move or a new day nobody is, nor of a change of a batch."""
    if not isinstance(fact, pb.AssignmentsChanged):
        return True
    return not fact.batch_id and (fact.cause in _RECEIVED or fact.cause in _LOST)


def notices_of_changes(event_id: UUID, fact: pb.AssignmentsChanged) -> Iterator[Notice]:
    """One for each customer and owner it concerns. Changes of a batch concern nobody: its closing event does."""
    if fact.batch_id:
        return
    for change in fact.changes:
        new, former = change.state.place.owner_id, change.previous.owner_id
        if new != former:
            told = [*_received(event_id, fact, new, 1), *_lost(event_id, fact, former, 1)]
            yield from (_about(notice, change) for notice in told)


def notices_of_batch(event_id: UUID, fact: pb.AssignmentBatchFinished) -> Iterator[Notice]:
    """One for each new and each former owner with its count, and the summary for the actor."""
    for receiver in fact.receivers:
        yield from _received(event_id, fact, receiver.member_id, receiver.customers)
    for former in fact.former_owners:
        yield from _lost(event_id, fact, former.member_id, former.customers)
    if fact.actor_id and (fact.skipped or fact.succeeded + fact.skipped > _SUMMARY_ABOVE):
        cause = pb.Cause.Name(fact.cause).removeprefix("CAUSE_").lower()
        yield replace(
            _notice(event_id, fact, fact.actor_id, Kind.ASSIGNMENT_BATCH_FINISHED),
            parameters={"cause": cause, "succeeded": fact.succeeded, "skipped": fact.skipped},
        )


def notice_of_leaver(event_id: UUID, fact: pb.OwnerLeft, member_id: UUID) -> Notice:
    """What `member_id`, who looks after the leaver's customers, is told."""
    return Notice(
        source_event_id=event_id,
        member_id=member_id,
        kind=Kind.OWNER_LEFT,
        parameters={
            "left_member_ids": [fact.member_id],
            "count": fact.customers,
            "hands_over_on": fact.hands_over_on,
        },
        subject_type="leaver",
        subject_id=UUID(fact.member_id),
    )


def _received(event_id: UUID, fact: Fact, owner_id: str, count: int) -> Iterator[Notice]:
    kind, wish = _RECEIVED.get(fact.cause), fact.notice
    if kind and owner_id and owner_id != fact.actor_id and (wish.in_app or wish.email):
        yield replace(_notice(event_id, fact, owner_id, kind, count), wish=Wish(wish.in_app, wish.email))


def _lost(event_id: UUID, fact: Fact, owner_id: str, count: int) -> Iterator[Notice]:
    kind = _LOST.get(fact.cause)
    if kind and owner_id and owner_id != fact.actor_id:
        yield _notice(event_id, fact, owner_id, kind, count)


def _notice(event_id: UUID, fact: Fact, member_id: str, kind: Kind, count: int = 0) -> Notice:
    batch_id = UUID(fact.batch_id) if fact.batch_id else None
    return Notice(
        source_event_id=event_id,
        member_id=UUID(member_id),
        kind=kind,
        parameters={"count": count, "actor_id": fact.actor_id},
        subject_type="assignment_batch" if batch_id else None,
        subject_id=batch_id,
        batch_id=batch_id,
    )


def _about(notice: Notice, change: pb.AssignmentChange) -> Notice:
    names = [change.customer_name] if change.customer_name else []
    customer_id = UUID(change.state.customer_id)
    parameters = {**notice.parameters, "customers": names}
    return replace(notice, parameters=parameters, subject_type="customer", subject_id=customer_id)
