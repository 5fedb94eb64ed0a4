"""Reading the timeline: one walk for each thing that can happen, none longer than the page, and one sort of what they find."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Date,
    DateTime,
    Integer,
    Numeric,
    Select,
    Text,
    Uuid,
    and_,
    case,
    cast,
    literal,
    null,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.orm import Session

from crm_customer.activities.model import Activity
from crm_customer.customers.sight import one_of
from crm_customer.customers.views import Named
from crm_customer.files.model import Attachment
from crm_customer.opportunities.model import Opportunity
from crm_customer.orders.model import Order, Payment
from crm_customer.ownership.model import Pool
from crm_customer.schedules.model import ScheduleEntry
from crm_customer.tasks.model import Task
from crm_customer.timeline.rules import Asked, EntryKind, Position, Status
from directory.tables import members

_ACTIVITIES = (EntryKind.FOLLOW_UP, EntryKind.LOG, EntryKind.REMARK)
_DONE = literal(Status.DONE.value, Text)
# What an arm may show beside who did what when.
_SHOWN: dict[str, Any] = {
    "title": Text,
    "content": Text,
    "method": Text,
    "on": Date,
    "until": DateTime(timezone=True),
    "amount": Numeric(14, 2),
    "currency": Text,
    "about_id": Uuid,
}

_WHO = ("kind", "event", "id", "at", "member_id", "status")
# The last source: changes of place, which pool keeps.
ASSIGNMENTS = 100


@dataclass(frozen=True)
class _Arm:
    """One thing that can happen: of which kinds it is, which record it is of, who did it when, in which rows, whether
    something is left to do, and what is shown. Columns, or texts that are the same for all.
    """

    kinds: tuple[EntryKind, ...]
    kind: Any
    event: Any
    id: Any
    at: Any
    member_id: Any
    where: Sequence[Any]
    status: Any
    shown: Mapping[str, Any]


def page_statement(customer_id: UUID, asked: Asked, now: datetime, limit: int) -> Select[Any] | None:
    """The first `limit` entries that are kept here; None: nothing is asked for that is."""
    arms = [
        _limited(arm, source, asked, limit)
        for source, arm in enumerate(_arms(customer_id, asked, now))
        if asked.wants(*arm.kinds)
    ]
    if not arms:
        return None
    page = union_all(*(select(arm.subquery()) for arm in arms)).subquery("page")
    found = select(page, members.c.name.label("member")).outerjoin(members, members.c.id == page.c.member_id)
    return found.order_by(page.c.at.desc(), page.c.source.desc(), page.c.id.desc()).limit(limit)


def entries(session: Session, customer_id: UUID, asked: Asked, now: datetime, limit: int) -> Sequence[Any]:
    """The rows of `page_statement`."""
    statement = page_statement(customer_id, asked, now, limit)
    return [] if statement is None else session.execute(statement).all()


def position_of(row: Any) -> Position:
    """Where a row of `entries` stands."""
    return Position(row.at, row.source, row.id)


def names(session: Session, member_ids: Collection[UUID], pool_ids: Collection[UUID]) -> dict[UUID, Named]:
    """Members and pools, whether or not they are gone."""
    found = select(members.c.id, members.c.name).where(one_of(members.c.id, list(member_ids)))
    pools = select(Pool.id, Pool.name).where(one_of(Pool.id, list(pool_ids)))
    return {row.id: Named(id=row.id, name=row.name) for row in session.execute(union_all(found, pools))}


def _arms(customer_id: UUID, asked: Asked, now: datetime) -> Iterator[_Arm]:
    """Everything that can have happened, always in the same order: the cursor counts on it."""
    yield from _activities(customer_id, asked)
    yield from _tasks(customer_id)
    yield from _schedule_and_files(customer_id, now)
    yield from _opportunities(customer_id)
    yield from _orders(customer_id)


def _activities(customer_id: UUID, asked: Asked) -> Iterator[_Arm]:
    wanted = [kind for kind in _ACTIVITIES if asked.wants(kind)]
    where = [_of(Activity, customer_id), Activity.kind.in_(wanted)]
    shown: dict[str, Any] = {name: getattr(Activity, name) for name in ("title", "content", "method", "about_id")}
    shown |= {"on": Activity.next_contact_on}
    yield _Arm(_ACTIVITIES, Activity.kind, "written", Activity.id, Activity.at, Activity.member_id, where, _DONE, shown)


def _tasks(customer_id: UUID) -> Iterator[_Arm]:
    where, status = [_of(Task, customer_id)], _status(Task.closed_at.is_(None))
    shown = {"title": Task.subject, "until": Task.due_at}
    closed = case((Task.status == "done", "completed"), else_="ended")
    for event, at, member_id, content in (
        ("created", Task.created_at, Task.created_by, Task.description),
        (closed, Task.closed_at, Task.closed_by, Task.close_note),
    ):
        yield _of_one(EntryKind.TASK, event, Task, at, member_id, where, status, shown | {"content": content})


def _schedule_and_files(customer_id: UUID, now: datetime) -> Iterator[_Arm]:
    entry, file = ScheduleEntry, Attachment
    shown: dict[str, Any] = {"title": entry.subject, "content": entry.note, "until": entry.ends_at}
    where, status = [_of(entry, customer_id)], _status(entry.ends_at > now)
    yield _of_one(EntryKind.SCHEDULE, "planned", entry, entry.starts_at, entry.member_id, where, status, shown)
    shown = {"title": file.name, "about_id": file.activity_id}
    where = [_of(file, customer_id), file.stored_at.is_not(None)]
    yield _of_one(EntryKind.FILE, "added", file, file.created_at, file.created_by, where, _DONE, shown)


def _opportunities(customer_id: UUID) -> Iterator[_Arm]:
    deal = Opportunity
    where, status = [_of(deal, customer_id)], _status(deal.closed_at.is_(None))
    shown: dict[str, Any] = {"title": deal.name, "amount": deal.amount, "currency": deal.currency}
    for event, at, member_id, content in (
        ("created", deal.created_at, deal.created_by, deal.description),
        (deal.stage, deal.closed_at, deal.owner_id, deal.close_note),
    ):
        yield _of_one(EntryKind.OPPORTUNITY, event, deal, at, member_id, where, status, shown | {"content": content})


def _orders(customer_id: UUID) -> Iterator[_Arm]:
    where, status = [_of(Order, customer_id)], _status(Order.status.in_(("draft", "confirmed")))
    shown: dict[str, Any] = {"title": cast(Order.number, Text), "content": Order.remark, "on": Order.deal_on}
    shown |= {"amount": Order.amount, "currency": Order.currency}
    for event, at, member_id in (
        ("created", Order.created_at, Order.created_by),
        ("completed", Order.completed_at, Order.member_id),
    ):
        yield _of_one(EntryKind.ORDER, event, Order, at, member_id, where, status, shown)
    paid = [Payment.deleted_at.is_(None), Payment.order_id == Order.id, *where]
    shown = {"content": Payment.note, "on": Payment.paid_on, "amount": Payment.amount, "currency": Order.currency}
    shown |= {"about_id": Payment.order_id}
    at, member_id = Payment.created_at, Payment.created_by
    yield _of_one(EntryKind.PAYMENT, "received", Payment, at, member_id, paid, _DONE, shown)


def _of_one(kind: EntryKind, event: Any, record: Any, *others: Any) -> _Arm:
    return _Arm((kind,), kind, event, record.id, *others)


def _limited(arm: _Arm, source: int, asked: Asked, limit: int) -> Select[Any]:
    columns = [literal(source, Integer).label("source"), *(_told(getattr(arm, name)).label(name) for name in _WHO)]
    columns += [arm.shown.get(name, cast(null(), type_)).label(name) for name, type_ in _SHOWN.items()]
    found: Select[Any] = select(*columns)
    found = found.where(*arm.where, arm.at.is_not(None), *_asked(arm, source, asked))
    return found.order_by(arm.at.desc(), arm.id.desc()).limit(limit)


def _asked(arm: _Arm, source: int, asked: Asked) -> Iterator[Any]:
    after = asked.after
    if asked.member_id is not None:
        yield arm.member_id == asked.member_id
    if asked.status is not None:
        yield arm.status == asked.status.value
    if asked.since is not None:
        yield arm.at >= asked.since
    if asked.until is not None:
        yield arm.at < asked.until
    if after is not None and source == after.source:
        yield tuple_(arm.at, arm.id) < tuple_(literal(after.at), literal(after.id))
    elif after is not None:
        yield arm.at <= after.at if source < after.source else arm.at < after.at


def _told(value: Any) -> Any:
    return literal(str(value), Text) if isinstance(value, str) else value


def _of(record: Any, customer_id: UUID) -> Any:
    return and_(record.customer_id == customer_id, record.deleted_at.is_(None))


def _status(is_open: Any) -> Any:
    return case((is_open, Status.OPEN.value), else_=Status.DONE.value)
