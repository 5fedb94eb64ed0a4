"""The history of a contact as its reader may see it (Q-07)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.audit import RecordedAuditEntry, audit_of
from crm_customer.contacts.rules import masked
from crm_customer.customers.commands import CONTACT
from crm_customer.customers.rules import ABOUT
from crm_customer.customers.views import Named
from crm_customer.history.views import FieldChange, HistoryEntry
from crm_customer.people.views import SeenContact
from directory.tables import members

_MOST = 200
_Show = Callable[[str, Any], Any]


def changes_of(session: Session, seen: SeenContact) -> list[HistoryEntry]:
    """Newest first: numbers masked where they are masked in the contact, of customers those that the reader sees."""
    contact = seen.contact
    entries = audit_of(session, CONTACT, contact.id, _MOST)
    owners = {UUID(side["owner_id"]) for entry in entries for side in _sides(entry) if side.get("owner_id")}
    actors = {entry.actor_id for entry in entries if entry.actor_id}
    names = _names(session, owners | actors)
    customers = {str(way.customer_id): Named(id=way.customer_id, name=way.name) for way in seen.ways}

    def show(field: str, value: Any) -> Any:
        if field == "owner_id":
            return value and names[UUID(value)]
        if field == "customer_id":
            return customers.get(value)
        return masked(field, value) if f"contact.{field}" in seen.hidden else value

    items = [_entry(entry, names, show) for entry in entries]
    if len(entries) < _MOST and not any(entry.action == "contact.created" for entry in entries):
        items.append(_import(seen))
    return items


def _import(seen: SeenContact) -> HistoryEntry:
    """The birth of an imported contact: no entry is kept of it, the row itself says when and by whom."""
    contact = seen.contact
    return HistoryEntry(action="contact.imported", at=contact.created_at, actor=seen.creator, changes=[])


def _entry(entry: RecordedAuditEntry, names: Mapping[UUID, Named], show: _Show) -> HistoryEntry:
    before, after = _sides(entry)
    changes = [
        FieldChange(field=name, before=show(name, before.get(name)), after=show(name, after.get(name)))
        for name in {**before, **after}
        if name not in ABOUT
    ]
    actor = names[entry.actor_id] if entry.actor_id else None
    return HistoryEntry(action=entry.action, at=entry.at, actor=actor, changes=changes)


def _sides(entry: RecordedAuditEntry) -> Sequence[Mapping[str, Any]]:
    return entry.before or {}, entry.after or {}


def _names(session: Session, ids: Iterable[UUID]) -> dict[UUID, Named]:
    wanted = set(ids)
    rows = session.execute(select(members.c.id, members.c.name).where(members.c.id.in_(wanted)))
    known = {row.id: row.name for row in rows}
    return {id_: Named(id=id_, name=known.get(id_, "")) for id_ in wanted}
