"""Changing customers that rows of an import match, set-wise."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Table, select, update
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.database.rows import listed, rowset
from chassis.events.outbox import record_event
from chassis.identifiers import new_id
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.customer.v1 import customer_events_pb2 as events
from crm_customer.contacts.model import FIELDS as CONTACT_FIELDS
from crm_customer.customers.commands import CONTACT, SUBJECT
from crm_customer.customers.model import FIELDS, Customer, with_custom
from crm_customer.customers.parents import parent_cycle
from crm_customer.customers.projection import in_parts, states_of
from crm_customer.customers.rules import Parts, Problem
from crm_customer.customers.sight import one_of
from crm_customer.database import append, by_column
from crm_customer.imports.answers import settled, updated
from crm_customer.imports.queries import Prepared
from crm_customer.imports.records import CONTACTS, LINKS, contact_copies, head, new_contact, searchable
from crm_customer.imports.rules import PARENT, TAGS, Change, Chunk, Settled, Update, change_of
from crm_customer.imports.tagging import Retagged, keep_tags, retagged
from crm_customer.profiles.commands import keep_profiles, own_ancestors
from crm_customer.profiles.queries import profiles_of
from crm_customer.search.projection import keep_contacts_in_search, keep_in_search

_CUSTOMERS: Table = Customer.__table__  # type: ignore[assignment]
_SEARCHED = ("name", "province", "city", "address_detail", "wechat_nickname")


@dataclass(frozen=True)
class _Record:
    """A customer and its primary contact as they are: rows of their tables."""

    customer: Any
    contact: Any | None

    def before(self, profile: dict[str, Any]) -> dict[str, Any]:
        """All its fields; `profile` as far as it is asked for."""
        own = {name: getattr(self.customer, name) for name in FIELDS}
        person = {name: getattr(self.contact, name, None) for name in CONTACT_FIELDS}
        return Parts(own, person, profile, self.customer.custom).flat()


_Found = Mapping[UUID, _Record]


def update_customers(
    session: Session, prepared: Prepared, wanted: Sequence[Update], now: datetime
) -> dict[int, rows_pb.ImportRowResult]:
    """Change customers as their rows say; the answers by number of row."""
    if not wanted:
        return {}
    found = _known(session, [one.customer_id for one in wanted], locked=True)
    judged, tags = _judged(session, prepared, wanted, found)
    changes = [change for change in judged.values() if isinstance(change, Change) and change.changed]
    if changes:
        given = {one.customer_id: tags[one.customer_id] for one in changes if TAGS in one.changed}
        _write(session, prepared, changes, found, given, now)
        keep_tags(session, given)
    return {one.row.number: _updated(one, judged[one.customer_id]) for one in wanted}


def judge_updates(session: Session, prepared: Prepared, wanted: Sequence[Update]) -> dict[UUID, Change | list[Problem]]:
    """What updates would change, or what is wrong with them, by customer; nothing is written or locked."""
    if not wanted:
        return {}
    return _judged(session, prepared, wanted, _known(session, [one.customer_id for one in wanted], locked=False))[0]


def _judged(
    session: Session, prepared: Prepared, wanted: Sequence[Update], found: _Found
) -> tuple[dict[UUID, Change | list[Problem]], Mapping[UUID, Retagged]]:
    clear_empty = prepared.chunk.clear_empty
    extended = [one.customer_id for one in wanted if one.row.writes("profile.", clear_empty=clear_empty)]
    profiles = profiles_of(session, extended) if extended else {}
    tags = retagged(session, {one.customer_id: one.row for one in wanted}, clear_empty=clear_empty)
    judged = {
        one.customer_id: _change(prepared, one, found.get(one.customer_id), profiles.get(one.customer_id, {}), tags)
        for one in wanted
    }
    judged |= _cycles(session, judged.values())
    return judged, tags


def _updated(one: Update, change: Change | list[Problem]) -> rows_pb.ImportRowResult:
    if isinstance(change, Change):
        return updated(one)
    return settled(Settled(one.row, change))


def _change(
    prepared: Prepared, one: Update, found: _Record | None, profile: dict[str, Any], tags: Mapping[UUID, Retagged]
) -> Change | list[Problem]:
    if found is None:
        return [Problem("", "match_changed")]
    clear_empty, has_contact = prepared.chunk.clear_empty, found.contact is not None
    before = found.before(profile)
    change = change_of(one, before, prepared.reference, clear_empty=clear_empty, has_contact=has_contact)
    if isinstance(change, Change) and prepared.tags and one.customer_id in tags:
        borne = tags[one.customer_id]
        return change.tagged(prepared.tags.words(borne.before), prepared.tags.words(borne.after))
    return change


def _cycles(session: Session, judged: Iterable[Change | list[Problem]]) -> dict[UUID, list[Problem]]:
    """The customers that would lie below themselves, with what is wrong (A-79)."""
    moved = {
        one.customer_id: one.after[PARENT]
        for one in judged
        if isinstance(one, Change) and PARENT in one.changed and one.after[PARENT]
    }
    below = own_ancestors(session, {id_: UUID(parent) for id_, parent in moved.items()}) if moved else ()
    return {id_: [parent_cycle(moved[id_])] for id_ in below}


def _known(session: Session, ids: Sequence[UUID], *, locked: bool) -> _Found:
    """The customers and then their primary contacts as they are, each in id order, and locked so if they are to be."""

    def kept(rows: Select[Any], **of: Any) -> Select[Any]:
        return rows.with_for_update(key_share=True, **of) if locked else rows

    primary = (LINKS.c.customer_id == _CUSTOMERS.c.id) & LINKS.c.is_primary
    linked = (
        select(_CUSTOMERS, LINKS.c.contact_id)
        .outerjoin(LINKS, primary)
        .where(one_of(Customer.id, ids), _CUSTOMERS.c.deleted_at.is_(None))
        .order_by(_CUSTOMERS.c.id)
    )
    customers = session.execute(kept(linked, of=_CUSTOMERS)).all()
    wanted = [row.contact_id for row in customers if row.contact_id]
    contacts = {}
    if wanted:
        rows = (
            select(*(CONTACTS.c[name] for name in ("id", "version", *CONTACT_FIELDS)))
            .where(one_of(CONTACTS.c.id, wanted))
            .order_by(CONTACTS.c.id)
        )
        contacts = {row.id: row for row in session.execute(kept(rows))}
    return {row.id: _Record(row, contacts.get(row.contact_id)) for row in customers}


def _write(
    session: Session,
    prepared: Prepared,
    changes: Sequence[Change],
    found: _Found,
    tags: Mapping[UUID, Retagged],
    now: datetime,
) -> None:
    rows = [_as_row(one) for one in changes]
    given = rowset(_CUSTOMERS, tuple(rows[0]))
    session.execute(
        update(_CUSTOMERS)
        .where(_CUSTOMERS.c.id == given.c.id)
        .values(
            **{name: given.c[name] for name in (*FIELDS, "custom")},
            version=_CUSTOMERS.c.version + 1,
            facts_version=_CUSTOMERS.c.facts_version + 1,
            updated_at=now,
        ),
        listed(rows),
    )
    chunk, regions = prepared.chunk, prepared.reference.regions
    contact_ids, people = _write_contacts(
        session, chunk, [one for one in changes if one.touches("contact.")], found, now
    )
    keep_profiles(session, {one.customer_id: one.parts.profile for one in changes if one.touches("profile.")})
    moved = [one for one in changes if one.touches(*_SEARCHED)]
    keep_in_search(session, [searchable(regions, one.customer_id, one.after) for one in moved])
    entries = [
        _entry(chunk, one, found[id_].customer.version, contact_ids.get(id_), tags.get(id_))
        for one in changes
        if (id_ := one.customer_id)
    ]
    record_audit(session, *entries, *people)
    facts = []
    for one in changes:
        row = found[one.customer_id].customer._mapping  # noqa: SLF001
        own = {name: one.after[name] for name in FIELDS}
        facts.append(SimpleNamespace(**{**row, **own, "facts_version": row["facts_version"] + 1}))
    record_event(session, *in_parts(events.CustomerUpdated, states_of(session, facts), **head(chunk)))


def _as_row(change: Change) -> dict[str, Any]:
    parts = change.parts
    return {"id": change.customer_id, **parts.own, "custom": with_custom({}, parts.custom)}


def _write_contacts(
    session: Session, chunk: Chunk, changes: Sequence[Change], found: _Found, now: datetime
) -> tuple[dict[UUID, UUID], list[AuditEntry]]:
    """Make and change primary contacts. Their ids by customer, and what is to be remembered of those changed."""
    new = [
        new_contact(id_, one.after["name"], found[id_].customer.owner_id, one.parts.contact, new_id())
        for one in changes
        if found[id_ := one.customer_id].contact is None
    ]
    append(session, *contact_copies(chunk, by_column(new), now))
    ids = {one["customer_id"]: one["id"] for one in new}
    known = [(one, contact) for one in changes if (contact := found[one.customer_id].contact) is not None]
    if not known:
        return ids, []
    ids |= {one.customer_id: contact.id for one, contact in known}
    rows = [{"id": contact.id, **one.parts.contact} for one, contact in known]
    given = rowset(CONTACTS, tuple(rows[0]))
    values = {name: given.c[name] for name in CONTACT_FIELDS} | {"version": CONTACTS.c.version + 1, "updated_at": now}
    session.execute(update(CONTACTS).where(CONTACTS.c.id == given.c.id).values(**values), listed(rows))
    keep_contacts_in_search(
        session, {contact.id: one.after["contact.name"] for one, contact in known if "contact.name" in one.changed}
    )
    return ids, [_contact_entry(chunk, one, contact) for one, contact in known]


def _contact_entry(chunk: Chunk, change: Change, contact: Any) -> AuditEntry:
    fields = [name.removeprefix("contact.") for name in change.changed if name.startswith("contact.")]
    before = {name: change.before[f"contact.{name}"] for name in fields}
    after = {name: change.after[f"contact.{name}"] for name in fields}
    caused = {"version": contact.version + 1, "source_job": str(chunk.job_id)}
    sides = {"version": contact.version} | before, caused | after
    return AuditEntry("contact.changed", CONTACT, contact.id, chunk.actor_id, *sides)


def _entry(chunk: Chunk, change: Change, version: int, contact_id: UUID | None, tags: Retagged | None) -> AuditEntry:
    """Beside what changed it names the contact and the tags themselves: an undo must not guess them by their names."""
    caused: dict[str, Any] = {"version": version + 1, "source_job": str(chunk.job_id)}
    if contact_id is not None:
        caused["source_contact"] = str(contact_id)
    if tags is not None:
        caused["source_tags"] = {"before": sorted(map(str, tags.before)), "after": sorted(map(str, tags.after))}
    return AuditEntry(
        "customer.changed_by_import",
        SUBJECT,
        change.customer_id,
        chunk.actor_id,
        {"version": version} | {name: change.before.get(name) for name in change.changed},
        caused | {name: change.after.get(name) for name in change.changed},
    )
