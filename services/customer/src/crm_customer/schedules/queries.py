"""Reading schedules: one's own, those of customers one sees, and calendars of members in departments one sees."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session

from chassis.days import day_after, day_of, start_of
from chassis.errors import NotFound
from crm_customer.activities.model import Activity
from crm_customer.customers.model import Customer
from crm_customer.customers.queries import visible_customer
from crm_customer.customers.sight import Sight
from crm_customer.customers.views import Named, named
from crm_customer.schedules.model import CalendarFeed, ScheduleEntry
from crm_customer.schedules.views import CalendarItem, CalendarKind, EntryView, days_of
from crm_customer.tasks.model import Task
from directory.tables import members

_MOST_ITEMS = 1000
_ALIVE = ScheduleEntry.deleted_at.is_(None)


def entries_of(
    session: Session, sight: Sight, customer_id: UUID | None, page: int, page_size: int
) -> tuple[list[EntryView], int]:
    """One page, the latest beginning first: of a customer, whoever's; else one's own. Raises NotFound."""
    if customer_id is not None:
        visible_customer(session, sight, customer_id)
    mine = ScheduleEntry.customer_id == customer_id if customer_id else ScheduleEntry.member_id == sight.scope.member_id
    total = session.scalar(select(func.count()).select_from(ScheduleEntry).where(mine, _ALIVE)) or 0
    newest = (ScheduleEntry.starts_at.desc(), ScheduleEntry.id.desc())
    found = _named(sight).where(mine, _ALIVE).order_by(*newest).offset((page - 1) * page_size).limit(page_size)
    return [_view(row, sight.scope.zone) for row in session.execute(found)], total


def entry_view(session: Session, sight: Sight, entry_id: UUID) -> EntryView:
    """One entry, one's own or of a customer one sees. Raises NotFound."""
    readable = or_(ScheduleEntry.member_id == sight.scope.member_id, _customer_seen(sight))
    row = session.execute(_named(sight).where(ScheduleEntry.id == entry_id, _ALIVE, readable)).one_or_none()
    if row is None:
        raise NotFound("not_found")
    return _view(row, sight.scope.zone)


def own_entry(session: Session, member_id: UUID, entry_id: UUID, *, deleted: bool = False) -> ScheduleEntry:
    """One's own entry, locked for a change. Raises NotFound."""
    mine = (ScheduleEntry.id == entry_id, ScheduleEntry.member_id == member_id)
    found = select(ScheduleEntry).where(*mine, ScheduleEntry.deleted_at.is_not(None) if deleted else _ALIVE)
    entry = session.scalar(found.with_for_update())
    if entry is None:
        raise NotFound("not_found")
    return entry


def calendar_owner(session: Session, sight: Sight, member_id: UUID) -> UUID:
    """A member whose calendar the reader may see: oneself, or somebody in a department one sees. Raises NotFound."""
    if member_id != sight.scope.member_id:
        row = session.execute(select(members.c.department_id).where(members.c.id == member_id)).one_or_none()
        if row is None or not sight.scope.reaches(member_id, row.department_id):
            raise NotFound("not_found")
    return member_id


def calendar(
    session: Session,
    sight: Sight,
    member_id: UUID,
    first: date,
    last: date,
    kinds: Iterable[CalendarKind] = tuple(CalendarKind),
) -> tuple[list[CalendarItem], bool]:
    """What lies on a member's calendar in these days, the soonest first, and whether there is more than 1,000 of a kind."""
    zone = sight.scope.zone
    begin, end = start_of(first, zone), start_of(day_after(last), zone)
    found: list[CalendarItem] = []
    truncated = False
    for kind in dict.fromkeys(kinds):
        rows = session.execute(
            _STATEMENTS[kind](sight, member_id, begin, end, first, last).limit(_MOST_ITEMS + 1)
        ).all()
        truncated |= len(rows) > _MOST_ITEMS
        found += [_item(kind, row, zone) for row in rows[:_MOST_ITEMS]]
    return sorted(found, key=lambda one: (one.starts_at, one.ends_at, one.id)), truncated


def upcoming(session: Session, sight: Sight, now: datetime) -> Sequence[CalendarItem]:
    """What a calendar program gets: from a month ago to a year ahead."""
    today = day_of(now, sight.scope.zone)
    return calendar(session, sight, sight.scope.member_id, today - timedelta(days=31), today + timedelta(days=366))[0]


def feed_of(session: Session, member_id: UUID) -> CalendarFeed | None:
    """The member's calendar feed."""
    return session.get(CalendarFeed, member_id)


def _customer_seen(sight: Sight) -> ColumnElement[bool]:
    return and_(Customer.id.is_not(None), Customer.deleted_at.is_(None), sight.condition())


def _customer_name(sight: Sight) -> ColumnElement[str | None]:
    return case((_customer_seen(sight), Customer.name), else_=None).label("customer_name")


def _named(sight: Sight) -> Select[Any]:
    return (
        select(ScheduleEntry, members.c.name.label("member_name"), _customer_name(sight))
        .outerjoin(members, members.c.id == ScheduleEntry.member_id)
        .outerjoin(Customer, Customer.id == ScheduleEntry.customer_id)
    )


def _view(row: Any, zone: str) -> EntryView:
    entry: ScheduleEntry = row.ScheduleEntry
    first, last = days_of(entry.starts_at, entry.ends_at, zone)
    special = ("member", "customer", "starts_on", "ends_on")
    columns = {name: getattr(entry, name) for name in EntryView.model_fields if name not in special}
    return EntryView(
        **columns,
        member=Named(id=entry.member_id, name=row.member_name or ""),
        customer=named(entry.customer_id, row.customer_name),
        starts_on=first,
        ends_on=last,
    )


def _entries(sight: Sight, member_id: UUID, begin: datetime, end: datetime, _first: date, _last: date) -> Any:
    # An entry that began earlier reaches into the period; none is longer than a year.
    reaching = (
        ScheduleEntry.starts_at < end,
        ScheduleEntry.starts_at > begin - timedelta(days=367),
        or_(ScheduleEntry.ends_at > begin, ScheduleEntry.starts_at >= begin),
    )
    columns = (ScheduleEntry.id, ScheduleEntry.subject, ScheduleEntry.customer_id, _customer_name(sight))
    times = (ScheduleEntry.starts_at, ScheduleEntry.ends_at, ScheduleEntry.all_day, ScheduleEntry.place)
    found = select(*columns, *times).outerjoin(Customer, Customer.id == ScheduleEntry.customer_id)
    mine = ScheduleEntry.member_id == member_id
    return found.where(mine, _ALIVE, *reaching).order_by(ScheduleEntry.starts_at, ScheduleEntry.id)


def _promises(sight: Sight, member_id: UUID, _begin: datetime, _end: datetime, first: date, last: date) -> Any:
    """The next contacts that the member's follow-ups name, of customers that the reader sees (F-04)."""
    columns = (
        Activity.id,
        Activity.content.label("subject"),
        Activity.customer_id,
        Customer.name.label("customer_name"),
    )
    return (
        select(*columns, Activity.next_contact_on)
        .join(Customer, Customer.id == Activity.customer_id)
        .where(Activity.member_id == member_id, Activity.next_contact_on.between(first, last))
        .where(Activity.deleted_at.is_(None), _customer_seen(sight))
        .order_by(Activity.next_contact_on, Activity.id)
    )


def _tasks(sight: Sight, member_id: UUID, begin: datetime, end: datetime, _first: date, _last: date) -> Any:
    columns = (Task.id, Task.subject, Task.customer_id, _customer_name(sight), Task.due_at, Task.closed_at)
    return (
        select(*columns)
        .outerjoin(Customer, Customer.id == Task.customer_id)
        .where(Task.handler_id == member_id, Task.due_at >= begin, Task.due_at < end, Task.deleted_at.is_(None))
        .where(or_(Task.customer_id.is_(None), Customer.deleted_at.is_(None)))
        .order_by(Task.due_at, Task.id)
    )


_STATEMENTS = {
    CalendarKind.SCHEDULE: _entries,
    CalendarKind.NEXT_CONTACT: _promises,
    CalendarKind.TASK: _tasks,
}
_SUBJECT_SHOWN = 100


def _item(kind: CalendarKind, row: Any, zone: str) -> CalendarItem:
    extra: dict[str, Any] = {}
    if kind is CalendarKind.SCHEDULE:
        starts_at, ends_at, all_day, extra = row.starts_at, row.ends_at, row.all_day, {"place": row.place}
    elif kind is CalendarKind.NEXT_CONTACT:
        day: date = row.next_contact_on
        starts_at, ends_at, all_day = start_of(day, zone), start_of(day_after(day), zone), True
    else:
        starts_at, ends_at, all_day, extra = row.due_at, row.due_at, False, {"done": row.closed_at is not None}
    first, last = days_of(starts_at, ends_at, zone)
    return CalendarItem(
        kind=kind,
        id=row.id,
        subject=row.subject[:_SUBJECT_SHOWN],
        customer=named(row.customer_id, row.customer_name),
        starts_at=starts_at,
        ends_at=ends_at,
        all_day=all_day,
        starts_on=first,
        ends_on=last,
        **extra,
    )
