"""Reading callers and their calls. Whose number it is, is looked up by the index of the contacts' numbers, so that a
customer is known as soon as a contact of it bears the number, however it came there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import eq, ge, lt
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Select,
    Text,
    and_,
    any_,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.errors import NotFound
from crm_customer.calls.model import Caller, IncomingCall, SwitchboardSecret
from crm_customer.calls.views import CallerView, CallingCustomer, CallView, CustomerCallView, SwitchboardView
from crm_customer.contacts.model import Contact, CustomerContact, numbers_of, phone_digits
from crm_customer.contacts.rules import masked
from crm_customer.counting import Total, counted
from crm_customer.customers.model import Customer
from crm_customer.customers.queries import visible_customer
from crm_customer.customers.sight import Condition, Sight, met, one_of
from crm_customer.customers.views import Named, Owner, named
from crm_customer.ownership.model import Pool
from directory.tables import members

_MOST_CUSTOMERS = 10
_NUMBERS = ("contact.mobile", "contact.phone")
_ALIVE = (Contact.deleted_at.is_(None), Customer.deleted_at.is_(None))
_LINKED = (CustomerContact.contact_id == Contact.id, Customer.id == CustomerContact.customer_id)


@dataclass(frozen=True)
class CallerConditions:
    """Conditions of the list, combined with AND; all but `known` are met by one call. `after`, `backwards`: see paging."""

    hotline: str = ""
    called_from: datetime | None = None
    called_until: datetime | None = None
    answered: bool | None = None
    known: bool | None = None
    after: tuple[datetime, UUID] | None = None
    backwards: bool = False


def page_of(session: Session, wanted: CallerConditions, offset: int, limit: int) -> list[UUID]:
    """Ids of some callers, the newest call first: a walk of that order's index."""
    order = (Caller.last_called_at, Caller.id)
    found = _matching(wanted).order_by(*(one.asc() if wanted.backwards else one.desc() for one in order))
    return list(session.scalars(found.offset(offset).limit(limit)))


def total(database: Database, wanted: CallerConditions) -> Total:
    """The size of the list."""
    return counted(database, ("callers", wanted), _matching(wanted), {})


def is_known() -> Condition:
    """Whether a customer bears the number of the caller just met."""
    return or_(*(met(Caller, way, *_LINKED, *_ALIVE) for way in _bears(Caller.number, Caller.spellings)))


def called_customers() -> Select[UUID]:
    """The customers that have called, whether or not they are seen (C-02): looked up for one caller after the other,
    whatever PostgreSQL believes.
    """
    ways = (_found_by(way) for way in _bears(Caller.number, Caller.spellings))
    return select(union_all(*ways).subquery().c.customer_id)


def has_called() -> Condition:
    """The same of the customer just met."""
    return met(Customer, Caller.number == any_(numbers_of(Customer.id, Customer)))


def caller_of(session: Session, caller_id: UUID, *, lock: bool = False) -> Caller:
    """The caller; `lock` it for a change. Raises NotFound."""
    found = select(Caller).where(Caller.id == caller_id).execution_options(populate_existing=True)
    caller = session.scalar(found.with_for_update() if lock else found)
    if caller is None:
        raise NotFound("not_found")
    return caller


def bearers(session: Session, caller: Caller) -> list[UUID]:
    """Customers that bear the caller's number, whoever sees them."""
    borne = _bears(caller.number, literal(caller.spellings, ARRAY(Text)))
    found = select(Customer.id).where(or_(*borne), *_LINKED, *_ALIVE).distinct()
    return list(session.scalars(found))


def caller_views(session: Session, sight: Sight, caller_ids: Sequence[UUID]) -> list[CallerView]:
    """The callers in the order of their ids, as the member may see them."""
    callers = {one.id: one for one in session.scalars(select(Caller).where(one_of(Caller.id, caller_ids)))}
    customers, calls = _customers(session, sight, caller_ids), _calls(session, caller_ids)
    return [_caller_view(sight, callers[id_], customers.get(id_, []), calls[id_]) for id_ in caller_ids if id_ in calls]


def calls_of(session: Session, caller_id: UUID, page: int, page_size: int) -> tuple[list[CallView], int]:
    """A page of a caller's calls, newest first, and how many there are. Raises NotFound."""
    caller_of(session, caller_id)
    found = select(IncomingCall).where(IncomingCall.caller_id == caller_id)
    rows, total = _paged(session, found, page, page_size)
    return [CallView.model_validate(row.IncomingCall) for row in rows], total


def calls_of_customer(
    session: Session, sight: Sight, customer_id: UUID, page: int, page_size: int
) -> tuple[list[CustomerCallView], int]:
    """The same of a customer that the member sees, by the numbers of all its contacts. Raises NotFound."""
    customer = visible_customer(session, sight, customer_id)
    hides = not sight.hidden_in(customer.pool_id).isdisjoint(_NUMBERS)
    calling = select(Caller.id).where(Caller.number == any_(numbers_of(customer_id)))
    found = select(IncomingCall, Caller.number).join(Caller).where(Caller.id.in_(calling))
    rows, total = _paged(session, found, page, page_size)
    return [_customer_call(row.IncomingCall, row.number, masks=hides) for row in rows], total


def switchboard_view(session: Session, secret: str | None = None) -> SwitchboardView:
    """How calls are reported; the `secret` when it has just been made. Raises NotFound without one."""
    found = select(SwitchboardSecret, members.c.name).outerjoin(members, members.c.id == SwitchboardSecret.created_by)
    row = session.execute(found).one_or_none()
    if row is None:
        raise NotFound("not_found")
    kept = row.SwitchboardSecret
    # Ids grow with time.
    last = session.scalar(select(IncomingCall.reported_at).order_by(IncomingCall.id.desc()).limit(1))
    by = Named(id=kept.created_by, name=row.name or "")
    return SwitchboardView(created_by=by, created_at=kept.created_at, last_reported_at=last, secret=secret)


def _bears(number: Any, spelled: Any) -> tuple[Condition, Condition]:
    """Whether the contact just met bears a number, each way by an index of its own."""
    return (
        and_(Contact.mobile == number, Contact.deleted_at.is_(None)),
        phone_digits(Contact.phone) == any_(spelled),
    )


def _found_by(way: Condition) -> Select[UUID]:
    bearing = select(Contact.id).where(way, Contact.deleted_at.is_(None)).correlate(Caller).offset(0).lateral()
    linked = select(CustomerContact.customer_id).where(CustomerContact.contact_id == bearing.c.id).offset(0).lateral()
    return select(linked.c.customer_id).select_from(Caller).join(bearing, true()).join(linked, true())


def _matching(wanted: CallerConditions) -> Select[UUID]:
    found = select(Caller.id).select_from(Caller)
    conditions: list[Condition] = [
        compare(column, value)
        for value, column, compare in (
            (wanted.hotline or None, IncomingCall.hotline, eq),
            (wanted.called_from, IncomingCall.called_at, ge),
            (wanted.called_until, IncomingCall.called_at, lt),
            (wanted.answered, IncomingCall.answered, eq),
        )
        if value is not None
    ]
    if conditions:
        found = found.where(met(Caller, IncomingCall.caller_id == Caller.id, *conditions))
    if wanted.called_from:
        # The walk ends there.
        found = found.where(Caller.last_called_at >= wanted.called_from)
    if wanted.known is not None:
        found = found.where(is_known() if wanted.known else ~is_known())
    if wanted.after:
        here, at = tuple_(Caller.last_called_at, Caller.id), tuple_(*map(literal, wanted.after))
        found = found.where(here > at if wanted.backwards else here < at)
    return found


def _customers(session: Session, sight: Sight, caller_ids: Sequence[UUID]) -> dict[UUID, list[Any]]:
    """Customers that bear each caller's number, those in sight first; a statement for all."""
    linked = select(CustomerContact.customer_id).join(Contact, Contact.id == CustomerContact.contact_id)
    bearing = linked.where(or_(*_bears(Caller.number, Caller.spellings)), Contact.deleted_at.is_(None))
    visible = sight.condition().label("visible")
    one = (
        select(Customer.id, Customer.name, Customer.owner_id, Customer.owner_left, Customer.pool_id, visible)
        .where(Customer.id.in_(bearing.correlate(Caller)), Customer.deleted_at.is_(None))
        .order_by(visible.desc().nulls_last(), Customer.created_at, Customer.id)
        .limit(_MOST_CUSTOMERS)
        .correlate(Caller)
        .lateral("one")
    )
    found = (
        select(Caller.id.label("caller_id"), one, members.c.name.label("owner_name"), Pool.name.label("pool_name"))
        .select_from(Caller)
        .join(one, true())
        .outerjoin(members, members.c.id == one.c.owner_id)
        .outerjoin(Pool, Pool.id == one.c.pool_id)
        .where(one_of(Caller.id, caller_ids))
    )
    rows: dict[UUID, list[Any]] = {}
    for row in session.execute(found):
        rows.setdefault(row.caller_id, []).append(row)
    return rows


def _calls(session: Session, caller_ids: Sequence[UUID]) -> dict[UUID, tuple[IncomingCall, int, int]]:
    """By caller: the last call, how many there are, how many were answered."""
    of_these, by = one_of(IncomingCall.caller_id, caller_ids), IncomingCall.caller_id
    order = (by, IncomingCall.called_at.desc(), IncomingCall.id.desc())
    last = session.scalars(select(IncomingCall).ext(distinct_on(by)).where(of_these).order_by(*order))
    answered = func.count().filter(IncomingCall.answered)
    counts = session.execute(select(by, func.count(), answered).where(of_these).group_by(by))
    found = {caller_id: (calls, answered) for caller_id, calls, answered in counts}
    return {call.caller_id: (call, *found[call.caller_id]) for call in last}


def _caller_view(
    sight: Sight, caller: Caller, customers: Sequence[Any], calls: tuple[IncomingCall, int, int]
) -> CallerView:
    last, number, answered = calls
    masks = bool(customers) and not any(_shows_numbers(sight, row) for row in customers)
    return CallerView(
        id=caller.id,
        number=(masked("mobile", caller.number) if masks else caller.number) or None,
        masked=masks,
        last_called_at=caller.last_called_at,
        calls=number,
        answered_calls=answered,
        last_call=CallView.model_validate(last),
        customers=[_customer_view(row) for row in customers],
    )


def _shows_numbers(sight: Sight, row: Any) -> bool:
    return bool(row.visible) and sight.hidden_in(row.pool_id).isdisjoint(_NUMBERS)


def _customer_view(row: Any) -> CallingCustomer:
    owner = Owner(id=row.owner_id, name=row.owner_name or "", active=not row.owner_left) if row.owner_id else None
    pool = named(row.pool_id, row.pool_name)
    return CallingCustomer(id=row.id, name=row.name, owner=owner, pool=pool, visible=bool(row.visible))


def _customer_call(call: IncomingCall, number: str, *, masks: bool) -> CustomerCallView:
    shown = masked("mobile", number) if masks else number
    return CustomerCallView(**dict(CallView.model_validate(call)), number=shown)


def _paged(session: Session, found: Select[*tuple[Any, ...]], page: int, page_size: int) -> tuple[Sequence[Any], int]:
    newest = found.order_by(IncomingCall.called_at.desc(), IncomingCall.id.desc())
    rows = session.execute(newest.offset((page - 1) * page_size).limit(page_size)).all()
    return rows, session.scalar(select(func.count()).select_from(found.subquery())) or 0
