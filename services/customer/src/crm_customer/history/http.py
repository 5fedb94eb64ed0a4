"""REST of a customer's history."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.audit import RecordedAuditEntry, audit_of
from chassis.http.api import Api
from chassis.http.call import Call
from crm_customer.customers.commands import SUBJECT
from crm_customer.customers.model import Customer
from crm_customer.customers.queries import visible_customer
from crm_customer.customers.rules import ABOUT, is_custom, masked
from crm_customer.customers.sight import sight_of
from crm_customer.customers.views import Named
from crm_customer.fields.queries import custom_fields
from crm_customer.history.views import FieldChange, HistoryEntry, HistoryView
from directory.permissions import Permission
from directory.tables import members

api = Api("customers")
_MOST = 200


@api.route(
    "GET",
    "/customers/<uuid:customer_id>/history",
    access=Permission.CUSTOMER_READ,
    summary="Changes of a customer",
    reply=HistoryView,
)
def read_history(call: Call[None, None], customer_id: UUID) -> HistoryView:
    """Who changed what from what to what, newest first; fields masked in the customer are masked here."""
    with call.runtime.database.reading() as session:
        sight = sight_of(session, call.actor.id)
        customer = visible_customer(session, sight, customer_id, deleted=None)
        entries = audit_of(session, SUBJECT, customer_id, _MOST)
        hidden = sight.hidden_in(customer.pool_id)
        names = _names(session, {entry.actor_id for entry in entries if entry.actor_id} | {customer.created_by})
        shown = {f"custom.{field.key}" for field in custom_fields(session, sight.scope)} - hidden
    told = ((entry, _fields(entry, shown)) for entry in entries)
    # Of a change of nothing but what the reader may not see, nothing is told.
    items = [_entry(entry, fields, names, hidden) for entry, fields in told if fields is not None]
    if len(entries) < _MOST and not any(entry.action == "customer.created" for entry in entries):
        items.append(_import(customer, names))
    return HistoryView(items=items).worded(call.runtime.messages, call.language)


def _import(customer: Customer, names: dict[UUID, str]) -> HistoryEntry:
    """The birth of an imported customer: no entry is kept of it, the row itself says when and by whom."""
    actor = Named(id=customer.created_by, name=names.get(customer.created_by, ""))
    return HistoryEntry(action="customer.imported", at=customer.created_at, actor=actor, changes=[])


def _fields(entry: RecordedAuditEntry, shown: Collection[str]) -> list[str] | None:
    """What the entry tells of, without custom fields that are not `shown`; None: of these alone."""
    fields = [name for name in {**(entry.before or {}), **(entry.after or {})} if name not in ABOUT]
    left = [name for name in fields if not is_custom(name) or name in shown]
    return None if fields and not left else left


def _entry(
    entry: RecordedAuditEntry, fields: list[str], names: dict[UUID, str], hidden: Collection[str]
) -> HistoryEntry:
    before, after = entry.before or {}, entry.after or {}
    changes = [
        FieldChange(field=name, before=_shown(name, before, hidden), after=_shown(name, after, hidden))
        for name in fields
    ]
    actor = Named(id=entry.actor_id, name=names.get(entry.actor_id, "")) if entry.actor_id else None
    assert entry.at is not None
    return HistoryEntry(action=entry.action, at=entry.at, actor=actor, changes=changes)


def _shown(name: str, values: Any, hidden: Collection[str]) -> Any:
    return masked(name, values.get(name)) if name in hidden else values.get(name)


def _names(session: Session, ids: Sequence[UUID] | set[UUID]) -> dict[UUID, str]:
    rows = session.execute(select(members.c.id, members.c.name).where(members.c.id.in_(ids)))
    return {row.id: row.name for row in rows}
