"""What `pool` says of places, with what it means for other records: the subscription, and the rebuilt projection."""

from collections.abc import Sequence

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
    owners_differing,
)


def _assignments(session: Session, events: Sequence[Event]) -> None:
    messages: list[pb.AssignmentsChanged] = [event.message for event in events]  # type: ignore[misc]
    states = [change.state for message in messages for change in message.changes]
    apply_changes(session, states, [move_of(change, one.actor_id) for one in messages for change in one.changes], now())


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
