"""Writing decided changes: rows, history, ledger and facts, each with one statement however many changes there are."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from chassis.database.rows import in_columns, insert_rows, rowset
from chassis.events.outbox import chunks, record_event
from crm.pool.v1 import pool_events_pb2 as pb
from crm_pool.assignments.model import FIELDS, Assignment, AssignmentRow, Change
from crm_pool.assignments.queries import EVERY, found_by
from crm_pool.assignments.records import WAS_RELEASED, HistoryEntry, Release
from crm_pool.assignments.rules import RELEASES, Cause
from crm_pool.customers.projection import customer_names
from crm_pool.database import among_ids
from crm_pool.expiry.queries import verdicts

_ASSIGNMENTS = cast(Table, AssignmentRow.__table__)
_HISTORY = cast(Table, HistoryEntry.__table__)
_GIVEN = rowset(_ASSIGNMENTS, FIELDS)
_LOCK = EVERY.where(among_ids(AssignmentRow.customer_id)).order_by(AssignmentRow.customer_id).with_for_update()
_INSERT = (
    insert(_ASSIGNMENTS)
    .from_select(FIELDS, select(_GIVEN))
    .on_conflict_do_nothing()
    .returning(_ASSIGNMENTS.c.customer_id)
)
_UPDATE = (
    update(_ASSIGNMENTS)
    .where(_ASSIGNMENTS.c.customer_id == _GIVEN.c.customer_id, _ASSIGNMENTS.c.version == _GIVEN.c.version - 1)
    .values({name: _GIVEN.c[name] for name in FIELDS if name != "customer_id"})
    .returning(_ASSIGNMENTS.c.customer_id)
)
# Imported rows are written with the day that their plan promised; facts of the customer reschedule them.
_DAY_KNOWN = (Cause.IMPORT, Cause.RESCHEDULE)


@dataclass(frozen=True, eq=False)
class Act:
    """Who did it, when, as part of which batch, and how its receivers are told. `actor_id` None: the system. What one act
    does, readers are told together.
    """

    actor_id: UUID | None
    at: datetime
    batch_id: UUID | None = None
    in_app: bool = False
    email: bool = False

    @property
    def notice(self) -> pb.Notice | None:
        """How to tell the receivers, None when the operator chose nothing."""
        return pb.Notice(in_app=self.in_app, email=self.email) if self.in_app or self.email else None


Done = tuple[Act, Change]
# Customers per owner; None: those without.
Owners = Counter[UUID | None]


def locked(session: Session, customer_ids: Collection[UUID]) -> dict[UUID, Assignment]:
    """The assignments of `customer_ids`, locked in id order so that batches never deadlock."""
    return {one.customer_id: one for one in found_by(session, _LOCK, {"ids": list(customer_ids)})}


def record(session: Session, done: Sequence[Done], names: Mapping[UUID, str] | None = None) -> list[Change]:
    """Write the changes with their days, history and facts; returns those really written. `names`: of customers, if known.

    A birth that another transaction completed first is left out. A change of nothing but the day has no history. Raises
    RuntimeError when a row was not locked.
    """
    _set_days(session, [change.assignment for _, change in done if change.cause not in _DAY_KNOWN])
    births = [one for one in done if one[1].previous is None]
    changes = [one for one in done if one[1].previous is not None]
    written = _insert(session, births) + changes
    if changes:
        _update(session, [change.assignment for _, change in changes])
    moved = [one for one in written if one[1].cause is not Cause.RESCHEDULE]
    insert_rows(session, _HISTORY, [_history_row(act, change) for act, change in moved])
    _publish(session, written, names or {})
    return [change for _, change in written]


# A claim is touched by what happened while its member held the customer, however late it is told of.
_TOUCH = text("""
    UPDATE claim_ledger AS claim SET first_touch_at = customers.last_touch_at
    FROM customers, assignment_history AS made
    WHERE customers.id = ANY(CAST(:ids AS uuid[])) AND claim.customer_id = customers.id AND claim.first_touch_at IS NULL
        AND made.customer_id = claim.customer_id AND made.version = claim.version AND made.at < customers.last_touch_at
        AND NOT EXISTS (
            SELECT FROM assignment_history AS lost
            WHERE lost.customer_id = claim.customer_id AND lost.version > claim.version
                AND lost.from_owner_id = claim.member_id AND lost.to_owner_id IS DISTINCT FROM claim.member_id
                AND lost.at <= customers.last_touch_at
        )
""")


def note_first_touches(session: Session, customer_ids: Collection[UUID]) -> None:
    """Keep with each claim of these customers the first touch that customer told of."""
    if customer_ids:
        session.execute(_TOUCH, {"ids": list(customer_ids)})


def finish_batch(session: Session, act: Act, cause: Cause, received: Owners, lost: Owners, skipped: int) -> None:
    """Say that the batch of `act` ended, with how many customers each new owner got and each former one lost (C-35).

    A batch that took customers from their owners is kept as a release.
    """
    former = Counter({member_id: count for member_id, count in lost.items() if member_id != act.actor_id})
    finished = pb.AssignmentBatchFinished(
        batch_id=str(act.batch_id),
        cause=_cause(cause),
        actor_id=str(act.actor_id or ""),
        notice=act.notice,
        succeeded=received.total(),
        skipped=skipped,
        receivers=_counts(received),
        former_owners=_counts(former),
    )
    record_event(session, finished)
    if cause in RELEASES and lost:
        session.add(_release(session, act, cause, lost, skipped))


def _release(session: Session, act: Act, cause: Cause, lost: Owners, skipped: int) -> Release:
    pool_id = session.scalars(
        select(HistoryEntry.to_pool_id)
        .where(HistoryEntry.batch_id == act.batch_id, WAS_RELEASED, HistoryEntry.to_pool_id.is_not(None))
        .limit(1)
    ).one_or_none()
    return Release(
        id=act.batch_id,
        at=act.at,
        cause=cause.value,
        actor_id=act.actor_id,
        owner_id=next(iter(lost)) if len(lost) == 1 else None,
        pool_id=pool_id,
        customers=lost.total(),
        skipped=skipped,
    )


def _counts(customers: Owners) -> list[pb.ReceiverCount]:
    return [pb.ReceiverCount(member_id=str(id_), customers=count) for id_, count in customers.items() if id_]


def _set_days(session: Session, assignments: Sequence[Assignment]) -> None:
    """Judged after the rows are locked: facts that are just arriving reschedule what is written here."""
    judged = verdicts(session, [one for one in assignments if not one.suspended])
    for one in assignments:
        verdict = judged.get(one.customer_id)
        one.expires_on = verdict.expires_on if verdict else None


def _insert(session: Session, births: Sequence[Done]) -> list[Done]:
    if not births:
        return []
    births = sorted(births, key=lambda one: one[1].assignment.customer_id)
    inserted = set(session.scalars(_INSERT, _columns([change.assignment for _, change in births])))
    return [one for one in births if one[1].assignment.customer_id in inserted]


def _update(session: Session, assignments: Sequence[Assignment]) -> None:
    if len(session.scalars(_UPDATE, _columns(assignments)).all()) != len(assignments):
        raise RuntimeError("an assignment was changed without its row lock")


def _columns(assignments: Sequence[Assignment]) -> dict[str, Any]:
    """The parameters of `_GIVEN`."""
    return in_columns({name: list(map(attrgetter(name), assignments)) for name in FIELDS})


def _history_row(act: Act, change: Change) -> dict[str, Any]:
    assignment, previous = change.assignment, change.previous
    return {
        "customer_id": assignment.customer_id,
        "version": assignment.version,
        "at": act.at,
        "actor_id": act.actor_id,
        "cause": change.cause.value,
        "from_owner_id": previous.owner_id if previous else None,
        "from_pool_id": previous.pool_id if previous else None,
        "to_owner_id": assignment.owner_id,
        "to_pool_id": assignment.pool_id,
        "batch_id": act.batch_id,
        "following": change.effects.following,
        "former_owner": change.effects.former_owner,
        "undoes_version": change.effects.undoes_version,
        "reason_id": change.reason_id,
        "reason_note": change.reason_note,
    }


def _publish(session: Session, written: Sequence[Done], names: Mapping[UUID, str]) -> None:
    named = {change.assignment.customer_id for _, change in written if change.cause is not Cause.RESCHEDULE}
    if unknown := named - names.keys():
        names = {**names, **customer_names(session, unknown)}
    groups: dict[tuple[Act, Cause], list[Change]] = {}
    for act, change in written:
        groups.setdefault((act, change.cause), []).append(change)
    messages = [
        _told(act, cause, changes=[change.message(names.get(change.assignment.customer_id, "")) for change in part])
        for (act, cause), changes in groups.items()
        for part in chunks(changes)
    ]
    record_event(session, *messages)


def publish_together(session: Session, act: Act, cause: Cause, together: Sequence[pb.MovedTogether]) -> None:
    """Tell by column what `act`, part of a batch, has done: 1,000 changes at most."""
    if together:
        record_event(session, _told(act, cause, together=together))


def _told(act: Act, cause: Cause, **what: Any) -> pb.AssignmentsChanged:
    return pb.AssignmentsChanged(
        cause=_cause(cause),
        actor_id=str(act.actor_id or ""),
        batch_id=str(act.batch_id or ""),
        notice=act.notice,
        **what,
    )


def _cause(cause: Cause) -> pb.Cause.ValueType:
    return pb.Cause.Value(f"CAUSE_{cause.name}")
