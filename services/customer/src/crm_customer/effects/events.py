"""What `pool` says of places, with what it means for other records: the subscription, and the rebuilt projection."""

from collections.abc import Sequence
from itertools import repeat

from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.events.consumer import Event, Subscription
from chassis.runtime import Runtime
from chassis.service import Projection
from crm.pool.v1 import pool_events_pb2 as pb
from crm_customer.effects.commands import apply_changes, apply_moved, move_of
from crm_customer.effects.due import catch_up
from crm_customer.ownership.clients import all_assignments
from crm_customer.ownership.projection import (
    apply_assignments,
    assignments_differing,
    follow_owners,
    is_recycled,
    news,
    owners_differing,
)


def _assignments(session: Session, events: Sequence[Event]) -> None:
    messages: list[pb.AssignmentsChanged] = [event.message for event in events]  # type: ignore[misc]
    _apply_together(session, messages)
    changes = _told_apart(session, messages)
    if changes:
        moves = [move_of(change, actor_id) for change, actor_id in changes]
        apply_changes(session, [change.state for change, _ in changes], moves, now())


def _told_apart(session: Session, messages: Sequence[pb.AssignmentsChanged]) -> list[tuple[pb.AssignmentChange, str]]:
    """What is news of the changes that have a message each; most of it came at once, by the call after pool's commit."""
    told = [(change, message.actor_id) for message in messages for change in message.changes]
    states = [change.state for change, _ in told]
    ids, versions = [state.customer_id for state in states], [state.version for state in states]
    return [told[position] for position in sorted(news(session, ids, versions, list(map(is_recycled, states))))]


def _apply_together(session: Session, messages: Sequence[pb.AssignmentsChanged]) -> None:
    """What is news of what is told by column: births of an import are known, customer wrote them where pool planned them."""
    groups = [(group, message.actor_id) for message in messages for group in message.together]
    ids = [id_ for group, _ in groups for id_ in group.customer_ids]
    versions = [version for group, _ in groups for version in group.versions]
    recycled = [one for group, _ in groups for one in repeat(is_recycled(group.common), len(group.customer_ids))]
    unknown = news(session, ids, versions, recycled)
    begin = 0
    for group, actor_id in groups if unknown else ():
        end = begin + len(group.customer_ids)
        positions = [place - begin for place in range(begin, end) if place in unknown]
        if positions:
            apply_moved(session, group, actor_id, positions, now())
        begin = end


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
