"""Undoing imported contacts, set-wise. Customers are locked before contacts, each in id order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from pydantic_core import to_jsonable_python
from sqlalchemy import Table, update
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.database.rows import listed, rowset
from chassis.errors import Refusal
from crm_customer.contacts.model import FORM_FIELDS, Contact, columns_of
from crm_customer.customers.commands import CONTACT, SUBJECT
from crm_customer.customers.rules import Problem
from crm_customer.import_undo.queries import Undo, WrittenRow, require, trails_of, uses_of
from crm_customer.import_undo.rules import (
    UNDONE,
    Restoration,
    Trail,
    Verdict,
    has_records,
    left,
    left_because,
    restoration,
    touched,
)
from crm_customer.imports.rules import record_id_of
from crm_customer.people.commands import lock_customers, put_into_bin, require_changeable
from crm_customer.people.queries import visible_contacts
from crm_customer.people.recording import move_entries
from crm_customer.people.views import SeenContact
from crm_customer.search.projection import keep_contacts_in_search
from directory.permissions import Permission

_CONTACTS: Table = Contact.__table__  # type: ignore[assignment]


def revert_contacts(session: Session, undo: Undo, rows: Sequence[WrittenRow]) -> dict[UUID, Verdict]:
    """What becomes of each contact. Raises Forbidden without the rights."""
    ids = sorted({row.record_id for row in rows})
    made = {row.record_id for row in rows if row.record_id == record_id_of(undo.job_id, row.number)}
    wanted = [(Permission.CUSTOMER_DELETE, bool(made)), (Permission.CUSTOMER_UPDATE, len(made) < len(ids))]
    require(undo.sight, *(permission for permission, needed in wanted if needed))
    lock_customers(session, ids)
    found = {one.contact.id: one for one in visible_contacts(session, undo.sight, ids, deleted=None, lock=True)}
    trails = trails_of(session, CONTACT, found, undo.job_id, made)
    verdicts = _take_out(session, undo, [one for id_, one in found.items() if id_ in made], trails)
    verdicts |= _restore(session, undo, [one for id_, one in found.items() if id_ not in made], trails)
    strange = {row.record_id for row in rows if row.created} - made
    verdicts |= {id_: left_because("not_of_this_import") for id_ in strange}
    return {id_: verdicts.get(id_) or left_because("out_of_scope") for id_ in ids}


def _take_out(
    session: Session, undo: Undo, people: Sequence[SeenContact], trails: Mapping[UUID, Trail]
) -> dict[UUID, Verdict]:
    """Put contacts that the import made into the recycle bin, unless somebody has touched them."""
    uses = uses_of(session, [seen.contact.id for seen in people])
    verdicts = {}
    going = []
    for seen in people:
        contact, trail = seen.contact, trails[seen.contact.id]
        if contact.deleted_at is not None:
            verdicts[contact.id] = UNDONE if trail.binned else left_because("deleted_since")
            continue
        problems = _kept_because(undo, seen, trail) + has_records(uses.get(contact.id, {}))
        verdicts[contact.id] = left(*problems) if problems else UNDONE
        going += [] if problems else [seen]
    put_into_bin(session, [seen.contact.id for seen in going], undo.now)
    record_audit(session, *move_entries("deleted", undo.sight, going, undo.mark))
    return verdicts


def _kept_because(undo: Undo, seen: SeenContact, trail: Trail) -> list[Problem]:
    contact, me = seen.contact, undo.actor_id
    if not undo.sight.scope.company and me not in (contact.owner_id, contact.created_by):
        return [Problem("", "contact_delete_own_only")]
    moved = any(entry.action == "contact.owner_changed" for entry in trail.others)
    if moved:
        return [Problem("", "moved_since")]
    return touched(trail, contact.version, undo.say)


@dataclass(frozen=True)
class _Restored:
    seen: SeenContact
    current: Mapping[str, Any]
    found: Restoration


def _restore(
    session: Session, undo: Undo, people: Iterable[SeenContact], trails: Mapping[UUID, Trail]
) -> dict[UUID, Verdict]:
    """Give contacts back what the import overwrote, field by field."""
    verdicts: dict[UUID, Verdict] = {}
    restored = []
    for seen in people:
        contact, trail = seen.contact, trails[seen.contact.id]
        if contact.deleted_at is not None:
            verdicts[contact.id] = left_because("deleted_since")
            continue
        try:
            require_changeable(undo.sight, seen)
        except Refusal as refusal:
            verdicts[contact.id] = left_because(refusal.code)
            continue
        current = to_jsonable_python({name: getattr(contact, name) for name in FORM_FIELDS})
        found = restoration(trail, current, undo.say)
        found = found.without(*(Problem(name, "not_restorable") for name in found.values if name not in FORM_FIELDS))
        verdicts[contact.id] = found.verdict(trail)
        restored += [_Restored(seen, current, found)] if found.values else []
    if restored:
        _write(session, undo, restored)
    return verdicts


def _write(session: Session, undo: Undo, restored: Sequence[_Restored]) -> None:
    finals = {one.seen.contact.id: {**one.current, **one.found.values} for one in restored}
    change_contacts(session, undo, finals, FORM_FIELDS)
    record_audit(session, *(entry for one in restored for entry in _entries(undo, one)))


def _entries(undo: Undo, one: _Restored) -> Iterable[AuditEntry]:
    """In the contact's history, and in that of each customer whose primary contact it is."""
    contact, values = one.seen.contact, one.found.values
    before = {name: one.current.get(name) for name in values}
    yield contact_entry(undo, "contact.import_undone", contact, before, values)
    shown = [{f"contact.{name}": value for name, value in side.items()} for side in (before, values)]
    for link in one.seen.links:
        if link.is_primary:
            sides = shown[0], undo.mark | shown[1]
            yield AuditEntry("customer.contact_changed", SUBJECT, link.customer_id, undo.actor_id, *sides)


def contact_entry(
    undo: Undo, action: str, contact: Contact, before: Mapping[str, Any] | None, after: Mapping[str, Any]
) -> AuditEntry:
    """What the undo did to a contact, which is at the version before."""
    sides = before and {"version": contact.version, **before}, {"version": contact.version + 1, **undo.mark, **after}
    return AuditEntry(action, CONTACT, contact.id, undo.actor_id, *sides)


def change_contacts(
    session: Session, undo: Undo, finals: Mapping[UUID, Mapping[str, Any]], fields: Sequence[str]
) -> None:
    """Write all `fields` of contacts, as JSON has them, with one statement, and make them findable."""
    rows = [
        {"id": id_} | columns_of({name: _typed(name, final[name]) for name in fields}) for id_, final in finals.items()
    ]
    given = rowset(_CONTACTS, tuple(rows[0]))
    values: dict[str, Any] = {name: given.c[name] for name in rows[0] if name != "id"}
    session.execute(
        update(_CONTACTS)
        .where(_CONTACTS.c.id == given.c.id)
        .values(**values, version=_CONTACTS.c.version + 1, updated_at=undo.now),
        listed(rows),
    )
    keep_contacts_in_search(session, {id_: final["name"] for id_, final in finals.items()})


def _typed(name: str, value: Any) -> Any:
    return date.fromisoformat(value) if name == "birthday" and value else value


def bin_contacts(session: Session, undo: Undo, contacts: Sequence[Contact]) -> list[AuditEntry]:
    """Put contacts into the recycle bin. Returns what their histories tell."""
    entries = [contact_entry(undo, "contact.deleted", contact, None, {}) for contact in contacts]
    if contacts:
        put_into_bin(session, [contact.id for contact in contacts], undo.now)
    return entries
