"""What `pool` says of places, with what it means for other records: the subscription, and the rebuilt projection."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.events.consumer import Event, Subscription
from chassis.runtime import Runtime
from chassis.service import Projection
from crm.pool.v1 import pool_events_pb2 as pb
from crm_customer.effects.commands import apply_changes, move_of
from crm_customer.effects.due import catch_up
from crm_customer.ownership.clients import all_assignments
from crm_customer.ownership.projection import (
    apply_assignments,
    assignments_differing,
    follow_owners,
    news,
    owners_differing,
)


def _assignments(session: Session, events: Sequence[Event]) -> None:
    messages: list[pb.AssignmentsChanged] = [event.message for event in events]  # type: ignore[misc]
    changes = [(change, message.actor_id) for message in messages for change in message.changes]
    # Most of it came at once, by the call after pool's commit.
    unknown = news(session, [change.state for change, _ in changes])
    fresh = [(change, actor_id) for change, actor_id in changes if UUID(change.state.customer_id) in unknown]
    if fresh:
        moves = [move_of(change, actor_id) for change, actor_id in fresh]
        apply_changes(session, [change.state for change, _ in fresh], moves, now())


ASSIGNMENTS = Subscription("customer-assignments", "CRM_POOL", (pb.AssignmentsChanged,), _assignments)


def _rebuild(runtime: Runtime) -> int:
    rows = 0
    for states in all_assignments(runtime):
        with runtime.database.transaction() as session:
            apply_assignments(session, states)
        rows += len(states)
    with runtime.database.transaction() as session:
        follow_owners(session, owners_differing(session))
    while catch_up(runtime):
        pass
    return rows


def _check(runtime: Runtime) -> int:
    with runtime.database.reading() as session:
        drift = sum(owners_differing(session).values())
    for states in all_assignments(runtime):
        with runtime.database.reading() as session:
            drift += assignments_differing(session, states)
    return drift


ASSIGNMENTS_PROJECTION = Projection("assignments", _rebuild, _check, "CRM_POOL")
