"""What the page of one customer shows beyond a list: extended columns, the parent, and counters."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    DateTime,
    ScalarSelect,
    Select,
    TableClause,
    Text,
    Uuid,
    any_,
    bindparam,
    column,
    func,
    or_,
    select,
    table,
)
from sqlalchemy.orm import Session

from chassis.days import day_of
from crm_customer.collaboration.model import Collaborator
from crm_customer.contacts.model import Contact, CustomerContact, numbers_of
from crm_customer.customers.parents import parent_view
from crm_customer.customers.queries import seen
from crm_customer.customers.sight import Sight
from crm_customer.customers.views import CountersView, CustomerDetail, customer_view
from crm_customer.profiles.queries import profiles_of
from crm_customer.profiles.rules import PARENT
from crm_customer.profiles.views import ProfileView, profile_view


def customer_detail(session: Session, sight: Sight, customer_id: UUID, now: datetime) -> CustomerDetail:
    """The customer as its page shows it (A-60); the scope was applied before."""
    (found,) = seen(session, sight, [customer_id])
    view = dict(customer_view(found, day_of(now, sight.scope.zone)))
    if found.access is None:  # locked by another: nothing else is told
        return CustomerDetail(**view)
    around = session.execute(_AROUND_IT, {"customer": customer_id, "now": now}).one()
    return CustomerDetail(
        **view,
        profile=_profile(session, sight, customer_id, found.hidden),
        counters=CountersView.model_validate(around),
        last_called_at=around.last_called_at,
    )


def _profile(session: Session, sight: Sight, customer_id: UUID, hidden: Collection[str]) -> ProfileView | None:
    values = profiles_of(session, [customer_id]).get(customer_id)
    if values is None:
        return None
    told = values[PARENT] is not None and f"profile.{PARENT}" not in hidden
    parent = parent_view(session, sight, UUID(values[PARENT])) if told else None
    return profile_view(values, parent, hidden)


def _around() -> Select[Any]:
    """Counters, and when it last called, in one statement: what is deleted does not count, nor collaborators whose time has
    ended and files on their way.
    """
    of, now = bindparam("customer", type_=Uuid), bindparam("now", type_=DateTime(timezone=True))
    linked = select(func.count()).select_from(CustomerContact)
    contacts = linked.join(Contact, Contact.id == CustomerContact.contact_id).where(
        CustomerContact.customer_id == of, Contact.deleted_at.is_(None)
    )
    lasting = or_(Collaborator.until.is_(None), Collaborator.until > now)
    collaborators = select(func.count()).select_from(Collaborator).where(Collaborator.customer_id == of, lasting)
    counts = {"contacts": contacts, "collaborators": collaborators}
    for name, rows in _AROUND.items():
        alive = (rows.c.customer_id == of, rows.c.deleted_at.is_(None))
        counts[name] = select(func.count()).select_from(rows).where(*alive)
    counts["follow_ups"] = counts["follow_ups"].where(_AROUND["follow_ups"].c.kind == "follow_up")
    counts["logs"] = counts["logs"].where(_AROUND["logs"].c.kind == "log")
    counts["files"] = counts["files"].where(_AROUND["files"].c.stored_at.is_not(None))
    counted = (count.scalar_subquery().label(name) for name, count in counts.items())
    return select(*counted, _last_called(of).label("last_called_at"))


def _last_called(of: Any) -> ScalarSelect[Any]:
    """By the number of any of its contacts."""
    called = _CALLERS.c.number == any_(numbers_of(of))
    return select(func.max(_CALLERS.c.last_called_at)).where(called).scalar_subquery()


def _table(name: str) -> TableClause:
    moments = (column(moment, DateTime(timezone=True)) for moment in ("deleted_at", "stored_at"))
    return table(name, column("customer_id", Uuid), column("kind", Text), *moments)


# These features build on customers, so customers know of them their tables alone.
_AROUND = {
    "follow_ups": _table("activities"),
    "logs": _table("activities"),
    "tasks": _table("tasks"),
    "schedule_entries": _table("schedule_entries"),
    "files": _table("attachments"),
    "opportunities": _table("opportunities"),
    "orders": _table("orders"),
}
_CALLERS = table("callers", column("number", Text), column("last_called_at", DateTime(timezone=True)))
_AROUND_IT = _around()
