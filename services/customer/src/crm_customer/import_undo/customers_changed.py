"""Giving customers back what an import overwrote, set-wise. Whatever does not hold the imported value any more stays."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from sqlalchemy import Table, update
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.database.rows import listed, rowset
from chassis.errors import Refusal
from chassis.events.outbox import record_event
from crm.customer.v1 import customer_events_pb2 as events
from crm_customer.batches.commands import require_workable
from crm_customer.contacts.model import FIELDS as CONTACT_FIELDS
from crm_customer.contacts.model import Contact
from crm_customer.customers.commands import SUBJECT
from crm_customer.customers.model import FIELDS, Customer, with_custom
from crm_customer.customers.parents import parent_cycle, parent_not_found, visible_parents
from crm_customer.customers.projection import in_parts, states_of
from crm_customer.customers.rules import Parts, Problem, split
from crm_customer.import_undo.contacts import bin_contacts, change_contacts, contact_entry
from crm_customer.import_undo.queries import People, Undo
from crm_customer.import_undo.rules import (
    Restoration,
    Trail,
    Verdict,
    left_because,
    restoration,
    with_known_tags,
    within_province,
)
from crm_customer.import_undo.writing import write_customers
from crm_customer.imports.records import searchable
from crm_customer.imports.rules import PARENT, TAGS
from crm_customer.imports.tagging import Retagged, Vocabulary, keep_tags, load_vocabulary
from crm_customer.profiles.commands import keep_profiles, own_ancestors
from crm_customer.profiles.queries import profiles_of
from crm_customer.search.projection import keep_in_search
from crm_customer.tags.model import CustomerTag
from crm_customer.tags.queries import tags_of

_CUSTOMERS: Table = Customer.__table__  # type: ignore[assignment]


@dataclass(frozen=True)
class _Restored:
    """One customer to be restored. `before`: all its values; `contact`: whom the import made or changed through it."""

    customer: Customer
    trail: Trail
    before: Mapping[str, Any]
    found: Restoration
    contact: Contact | None = None
    loses_contact: bool = False

    @property
    def after(self) -> dict[str, Any]:
        """All values as they will be."""
        return {**self.before, **self.found.values}

    def touches(self, prefix: str) -> bool:
        """Whether a field that begins so is restored."""
        return any(name.startswith(prefix) for name in self.found.values)


@dataclass
class _Present:
    """What customers hold beside their own columns; values of contacts with what is already to be restored."""

    people: People
    profiles: Mapping[UUID, dict[str, Any]]
    tags: Mapping[UUID, list[str]]
    vocabulary: Vocabulary
    contacts: dict[UUID, dict[str, Any]] = field(default_factory=dict)


def restore(
    session: Session,
    undo: Undo,
    customers: Iterable[tuple[Customer, bool]],
    trails: Mapping[UUID, Trail],
    people: People,
) -> dict[UUID, Verdict]:
    """Give customers back what the import overwrote, field by field."""
    verdicts: dict[UUID, Verdict] = {}
    able = []
    for customer, writable in customers:
        if customer.deleted_at is not None:
            verdicts[customer.id] = left_because("merged_since" if customer.merged_into else "deleted_since")
            continue
        try:
            require_workable(undo.sight, customer, writable)
        except Refusal as refusal:
            verdicts[customer.id] = left_because(refusal.code)
        else:
            able.append(customer)
    present = _present(session, able, trails, people)
    judged = [_judged(undo, customer, trails[customer.id], present) for customer in able]
    judged = _with_parents(session, undo, judged)
    restored = [one for one in judged if one.found.values]
    if restored:
        _write(session, undo, restored, present)
    return verdicts | {one.customer.id: one.found.verdict(one.trail) for one in judged}


def _present(session: Session, customers: Sequence[Customer], trails: Mapping[UUID, Trail], people: People) -> _Present:
    fields = {customer.id: trails[customer.id].fields for customer in customers}
    extended = [id_ for id_, names in fields.items() if any(name.startswith("profile.") for name in names)]
    tagged = [id_ for id_, names in fields.items() if TAGS in names]
    borne = tags_of(session, CustomerTag, tagged)
    return _Present(
        people,
        profiles_of(session, extended) if extended else {},
        {id_: sorted(str(tag.id) for tag in borne[id_]) for id_ in tagged},
        load_vocabulary(session) if tagged else Vocabulary.of(()),
    )


def _judged(undo: Undo, customer: Customer, trail: Trail, present: _Present) -> _Restored:
    contact = _contact(customer, trail, present.people)
    person = _values_of(contact, present) if contact else dict.fromkeys(CONTACT_FIELDS)
    parts = Parts(customer.values(), person, present.profiles.get(customer.id, {}), customer.custom)
    before = {**parts.flat(), TAGS: present.tags.get(customer.id, [])}
    known = with_known_tags(trail, {str(id_) for id_ in present.vocabulary.by_id})

    def say(name: str, value: Any) -> str:
        return undo.say(name, present.vocabulary.words(map(UUID, value or ())) if name == TAGS else value)

    found = within_province(restoration(known, before, say), before, undo.words.regions, say)
    found = _one_of_a_group(found, present.vocabulary)
    found, loses_contact = _person(undo, found, trail, contact, present.people)
    if contact is not None and not loses_contact:
        person |= split({name: value for name, value in found.values.items() if name != TAGS}).contact
    return _Restored(customer, trail, before, found, contact, loses_contact)


def _contact(customer: Customer, trail: Trail, people: People) -> Contact | None:
    """The contact that the import made for a customer or changed through it, while it is a contact of the customer."""
    return next((one for one in people.of(customer.id) if str(one.id) in trail.contact_ids), None)


def _values_of(contact: Contact, present: _Present) -> dict[str, Any]:
    return present.contacts.setdefault(contact.id, contact.values())


def _one_of_a_group(found: Restoration, vocabulary: Vocabulary) -> Restoration:
    """Tags are not restored where their group allows one alone meanwhile (I-01)."""
    tags = [vocabulary.by_id[UUID(id_)] for id_ in found.values.get(TAGS, ())]
    single = [tag.group for tag in tags if not tag.multiple]
    twice = sorted({group for group in single if single.count(group) > 1})
    return found.without(*(Problem(TAGS, "one_tag_per_group", group) for group in twice))


def _person(
    undo: Undo, found: Restoration, trail: Trail, contact: Contact | None, people: People
) -> tuple[Restoration, bool]:
    """What is restored of the contact's fields, and whether the contact goes, because the import made it.

    One that has been used or changed since stays as it is; so does one that does not belong to the customer any more.
    """
    names = [name for name in trail.fields if name.startswith("contact.")]
    if not names:
        return found, False
    if contact is not None and not trail.makes_contact:
        return found, False
    if contact is not None and people.untouched(undo, contact):
        return found, True
    kept = [problem for problem in found.problems if problem.field not in names]
    values = {name: value for name, value in found.values.items() if name not in names}
    return Restoration(values, [*kept, Problem("contact.name", "contact_in_use")]), False


def _with_parents(session: Session, undo: Undo, judged: Sequence[_Restored]) -> list[_Restored]:
    """A parent that is gone, or lies below the customer by now, is not restored (A-79)."""
    wanted = {one.customer.id: one.found.values[PARENT] for one in judged if one.found.values.get(PARENT)}
    if not wanted:
        return list(judged)
    parents = {id_: UUID(parent) for id_, parent in wanted.items()}
    known = visible_parents(session, undo.sight, set(parents.values()))
    wrong = {id_: parent_not_found(wanted[id_]) for id_, parent in parents.items() if parent not in known}
    below = own_ancestors(session, {id_: parent for id_, parent in parents.items() if id_ not in wrong})
    wrong |= {id_: parent_cycle(wanted[id_]) for id_ in below}
    return [
        replace(one, found=one.found.without(wrong[one.customer.id])) if one.customer.id in wrong else one
        for one in judged
    ]


def _write(session: Session, undo: Undo, restored: Sequence[_Restored], present: _Present) -> None:
    people = _write_contacts(session, undo, restored)
    keep_profiles(
        session,
        {one.customer.id: _parts(one).profile for one in restored if one.touches("profile.")},
    )
    keep_tags(session, {one.customer.id: _retagged(one) for one in restored if TAGS in one.found.values})
    keep_in_search(session, [searchable(undo.words.regions, one.customer.id, one.after) for one in restored])
    entries = [_entry(undo, one, present.vocabulary) for one in restored]
    changed = _write_customers(session, undo, restored)
    record_audit(session, *entries, *people)
    record_event(session, *in_parts(events.CustomerUpdated, states_of(session, changed), **undo.about))


def _write_customers(session: Session, undo: Undo, restored: Sequence[_Restored]) -> Sequence[Customer]:
    rows = [
        {"id": one.customer.id, **_parts(one).own, "custom": with_custom({}, _parts(one).custom)} for one in restored
    ]
    given = rowset(_CUSTOMERS, tuple(rows[0]))
    statement = update(Customer).where(Customer.id == given.c.id)
    return write_customers(
        session, undo, statement, {name: given.c[name] for name in (*FIELDS, "custom")}, listed(rows)
    )


def _write_contacts(session: Session, undo: Undo, restored: Sequence[_Restored]) -> list[AuditEntry]:
    """Restore the contacts, and delete those that the import made. Returns what their histories tell."""
    going = [one.contact for one in restored if one.contact and one.loses_contact]
    entries = bin_contacts(session, undo, going)
    finals: dict[UUID, dict[str, Any]] = {}
    for one in restored:
        if one.contact is None or one.loses_contact or not one.touches("contact."):
            continue
        values = split({name: value for name, value in one.found.values.items() if name.startswith("contact.")}).contact
        final = finals.setdefault(one.contact.id, one.contact.values())
        before = {name: final[name] for name in values}
        final |= values
        entries.append(contact_entry(undo, "contact.import_undone", one.contact, before, values))
    if finals:
        change_contacts(session, undo, finals, CONTACT_FIELDS)
    return entries


def _parts(one: _Restored) -> Parts:
    return split({name: value for name, value in one.after.items() if name != TAGS})


def _retagged(one: _Restored) -> Retagged:
    before, after = (frozenset(map(UUID, values[TAGS])) for values in (one.before, one.after))
    return Retagged(before, after)


def _entry(undo: Undo, one: _Restored, vocabulary: Vocabulary) -> AuditEntry:
    version, names = one.customer.version, list(one.found.values)
    before, after = (
        {name: vocabulary.words(map(UUID, side[name])) if name == TAGS else side.get(name) for name in names}
        for side in (one.before, one.after)
    )
    sides = {"version": version, **before}, {"version": version + 1, **undo.mark, **after}
    return AuditEntry("customer.import_undone", SUBJECT, one.customer.id, undo.actor_id, *sides)
