"""Who is told of a collision (撞单, decision 0032)."""

from collections.abc import Iterator
from uuid import UUID

from crm.customer.v1 import customer_events_pb2 as pb
from crm_notify.notifications.rules import Kind, Notice

_OPENED = {
    pb.COLLISION_KIND_COLLABORATE: Kind.COLLABORATION_ASKED,
    pb.COLLISION_KIND_DISPUTE: Kind.CUSTOMER_DISPUTED,
}
_CLOSED = {
    pb.COLLISION_OUTCOME_KEEP: Kind.COLLISION_KEPT,
    pb.COLLISION_OUTCOME_COLLABORATE: Kind.COLLISION_SHARED,
    pb.COLLISION_OUTCOME_GIVE: Kind.COLLISION_GIVEN,
    pb.COLLISION_OUTCOME_MERGE: Kind.COLLISION_TO_MERGE,
    pb.COLLISION_OUTCOME_WITHDRAWN: Kind.COLLISION_WITHDRAWN,
}


def notices_of_opening(event_id: UUID, fact: pb.CollisionOpened) -> Iterator[Notice]:
    """One for each who may decide."""
    if fact.kind in _OPENED:
        yield from _notices(event_id, fact, _OPENED[fact.kind], fact.asked_by, fact.reason)


def notices_of_closing(event_id: UUID, fact: pb.CollisionClosed) -> Iterator[Notice]:
    """One for each whom it concerns."""
    if fact.outcome in _CLOSED:
        yield from _notices(event_id, fact, _CLOSED[fact.outcome], fact.actor_id, fact.note)


def _notices(
    event_id: UUID, fact: pb.CollisionOpened | pb.CollisionClosed, kind: Kind, actor_id: str, note: str
) -> Iterator[Notice]:
    for receiver_id in fact.receiver_ids:
        yield Notice(
            source_event_id=event_id,
            member_id=UUID(receiver_id),
            kind=kind,
            parameters={"count": 1, "customers": [fact.customer_name], "actor_id": actor_id, "note": note},
            subject_type="collision",
            subject_id=UUID(fact.collision_id),
        )
