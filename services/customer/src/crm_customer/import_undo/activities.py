"""Undoing imported activities, set-wise: they are deleted, and no clock moves. Customers are locked before activities."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Table, select, update
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.errors import Refusal
from crm_customer.activities.commands import KEPT, SUBJECT, supervises
from crm_customer.activities.model import Activity
from crm_customer.batches.commands import require_workable
from crm_customer.batches.queries import locked
from crm_customer.customers.model import Customer
from crm_customer.customers.rules import Problem
from crm_customer.customers.sight import one_of
from crm_customer.import_undo.queries import Undo, WrittenRow, answers_to, require, trails_of
from crm_customer.import_undo.rules import UNDONE, Trail, Verdict, has_records, left, left_because, touched
from crm_customer.imports.rules import record_id_of
from directory.permissions import Permission

_ACTIVITIES: Table = Activity.__table__  # type: ignore[assignment]

# What became of its customer meanwhile.
_SINCE = {"already_deleted": "deleted_since", "merged_into": "merged_since"}


def revert_activities(session: Session, undo: Undo, rows: Sequence[WrittenRow]) -> dict[UUID, Verdict]:
    """What becomes of each activity. Raises Forbidden without customer.update."""
    require(undo.sight, Permission.CUSTOMER_UPDATE)
    made = {row.record_id for row in rows if row.record_id == record_id_of(undo.job_id, row.number)}
    verdicts = {row.record_id: left_because("not_of_this_import") for row in rows if row.record_id not in made}
    ids = sorted(made)
    of = session.scalars(select(Activity.customer_id).where(one_of(Activity.id, ids)).distinct()).all()
    customers = locked(session, undo.sight, sorted(of))
    found = session.scalars(
        select(Activity)
        .where(one_of(Activity.id, ids), one_of(Activity.customer_id, list(customers)))
        .order_by(Activity.id)
        .with_for_update(key_share=True),
        execution_options={"populate_existing": True},
    ).all()
    trails = trails_of(session, SUBJECT, made, undo.job_id, made)
    answers = answers_to(session, ids)
    going = []
    for activity in found:
        trail = trails[activity.id]
        if activity.deleted_at is not None:
            verdicts[activity.id] = UNDONE if trail.binned else left_because("deleted_since")
            continue
        problems = _kept_because(undo, *customers[activity.customer_id], activity, trail)
        problems += has_records(answers.get(activity.id, {}))
        verdicts[activity.id] = left(*problems) if problems else UNDONE
        going += [] if problems else [activity]
    if going:
        _delete(session, undo, going)
    return {row.record_id: verdicts.get(row.record_id) or left_because("out_of_scope") for row in rows}


def _kept_because(undo: Undo, customer: Customer, writable: bool, activity: Activity, trail: Trail) -> list[Problem]:
    try:
        require_workable(undo.sight, customer, writable)
    except Refusal as refusal:
        return [Problem("", _SINCE.get(refusal.code, refusal.code))]
    if activity.member_id != undo.actor_id and not supervises(undo.sight, customer):
        return [Problem("", "activity_author_only")]
    return touched(trail, activity.version, undo.say)


def _delete(session: Session, undo: Undo, activities: Sequence[Activity]) -> None:
    record_audit(session, *(_entry(undo, activity) for activity in activities))
    gone = update(_ACTIVITIES).where(one_of(_ACTIVITIES.c.id, [activity.id for activity in activities]))
    counted: dict[str, Any] = {"version": _ACTIVITIES.c.version + 1}
    session.execute(gone.values(deleted_at=undo.now, updated_at=undo.now, **counted))


def _entry(undo: Undo, activity: Activity) -> AuditEntry:
    before = {name: value for name in KEPT if (value := getattr(activity, name)) is not None}
    versions = [{"version": version} for version in (activity.version, activity.version + 1)]
    sides = versions[0] | before, versions[1] | undo.mark
    return AuditEntry("activity.deleted", SUBJECT, activity.id, undo.actor_id, *sides)
