"""Who is told of somebody who looked at many hidden contacts (decision 0025)."""

from collections.abc import Iterator
from uuid import UUID

from crm.customer.v1 import customer_events_pb2 as pb
from crm_notify.notifications.rules import Kind, Notice


def notices_of_reveals(event_id: UUID, fact: pb.RevealsSurged) -> Iterator[Notice]:
    """One for each who runs the pool; whoever looked is not told of it."""
    for receiver_id in fact.receiver_ids:
        if receiver_id != fact.member_id:
            yield Notice(
                source_event_id=event_id,
                member_id=UUID(receiver_id),
                kind=Kind.REVEALS_SURGED,
                parameters={
                    "actor_id": fact.member_id,
                    "pool": fact.pool_name,
                    "reveals": fact.reveals,
                    "minutes": fact.minutes,
                },
                subject_type="pool",
                subject_id=UUID(fact.pool_id),
            )
