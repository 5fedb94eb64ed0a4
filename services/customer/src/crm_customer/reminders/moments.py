"""Reminders of a moment that was asked for (提醒): each is told once, as `ReminderDue` (decision 0026)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import and_, case, or_, select, update
from sqlalchemy.orm import Session

from chassis.events.outbox import record_event
from crm.customer.v1 import customer_events_pb2 as pb
from crm_customer.customers.model import Customer
from crm_customer.customers.sight import one_of
from crm_customer.schedules.model import ScheduleEntry
from crm_customer.tasks.model import Task
from directory.tables import members

_AT_ONCE = 500


@dataclass(frozen=True)
class Moments:
    """Rows of `model` with a `remind_at` and a `reminded_at`: who is told, when that of which they are told is, and which
    of them are of one kind, so that a member hears of all that are due at once in one word; None: each on its own.
    """

    subject_type: str
    model: Any
    member: Any
    at: Any
    waiting: Any
    together: Any = None


OF_TASKS = Moments(
    "task",
    Task,
    Task.handler_id,
    Task.due_at,
    and_(Task.closed_at.is_(None), Task.deleted_at.is_(None)),
    Task.dispatch_id,
)
OF_SCHEDULE_ENTRIES = Moments(
    "schedule_entry",
    ScheduleEntry,
    ScheduleEntry.member_id,
    ScheduleEntry.starts_at,
    ScheduleEntry.deleted_at.is_(None),
)


def remind(session: Session, moments: Moments, now: datetime) -> bool:
    """Tell of up to 500 whose moment has come. What belongs to a deleted customer, or to a member who has left, is over
    without a word. True: more is waiting.
    """
    rows = session.execute(_due(moments, now)).all()
    reminded = update(moments.model).where(one_of(moments.model.id, [row.id for row in rows]))
    session.execute(reminded.values(reminded_at=now), execution_options={"synchronize_session": False})
    record_event(session, *_told(moments, [row for row in rows if row.active and not row.gone]))
    return len(rows) == _AT_ONCE


def _due(moments: Moments, now: datetime) -> Any:
    model, member = moments.model, moments.member
    # Of what another has locked a member hears no name (H-17).
    named = or_(
        Customer.locked_at.is_(None), Customer.owner_left, Customer.owner_id.is_(None), Customer.owner_id == member
    )
    return (
        select(
            model.id,
            model.subject,
            member.label("member_id"),
            moments.at.label("at"),
            (model.id if moments.together is None else moments.together).label("together"),
            case((named, Customer.name), else_="").label("customer_name"),
            Customer.deleted_at.is_not(None).label("gone"),
            members.c.active,
        )
        .outerjoin(Customer, Customer.id == model.customer_id)
        .outerjoin(members, members.c.id == member)
        .where(model.remind_at <= now, model.remind_at.is_not(None), model.reminded_at.is_(None), moments.waiting)
        .order_by(model.remind_at, model.id)
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True, of=model)
    )


def _told(moments: Moments, rows: Sequence[Any]) -> Iterator[pb.ReminderDue]:
    def kind(row: Any) -> tuple[str, str]:
        return str(row.member_id), str(row.together or row.id)

    for (member_id, _), found in groupby(sorted(rows, key=kind), kind):
        first, *others = found
        yield pb.ReminderDue(
            member_id=member_id,
            subject_type=moments.subject_type,
            subject_id=str(first.id),
            subject=first.subject,
            customer_name="" if others else first.customer_name,
            at=first.at,
        )
