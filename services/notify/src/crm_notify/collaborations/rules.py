"""Who is told of a change of collaborators (H-09)."""

from collections.abc import Iterator
from uuid import UUID

from crm.customer.v1 import customer_events_pb2 as pb
from crm_notify.notifications.rules import Kind, Notice


def notices_of_collaboration(event_id: UUID, fact: pb.CollaborationChanged) -> Iterator[Notice]:
    """One for the member, unless it is their own act. Only who still sees the customer can open it."""
    if fact.member_id == fact.actor_id:
        return
    if not fact.added:
        kind = Kind.COLLABORATION_ENDED
    else:
        kind = Kind.COLLABORATION_TO_WRITE if fact.can_write else Kind.COLLABORATION_TO_READ
    yield Notice(
        source_event_id=event_id,
        member_id=UUID(fact.member_id),
        kind=kind,
        parameters={"count": 1, "customers": [fact.customer_name], "actor_id": fact.actor_id},
        subject_type="customer" if fact.added else None,
        subject_id=UUID(fact.customer_id) if fact.added else None,
    )
