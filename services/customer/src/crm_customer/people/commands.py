"""What users do to contacts. Each function runs in the transaction its edge has opened.

Customers are locked before contacts, and contacts before links, each in id order: so no two commands wait for each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import exists, select, tuple_, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, aliased

from chassis.audit import AuditEntry, record_audit
from chassis.errors import Conflict, FieldError, Forbidden, NotFound, Refusal, invalid
from chassis.identifiers import new_id
from crm_customer.contacts.model import FORM_FIELDS, Contact, CustomerContact
from crm_customer.customers.commands import CONTACT, owner_problems
from crm_customer.customers.model import Customer
from crm_customer.customers.queries import require_writable, visible_customer
from crm_customer.customers.rules import Reference
from crm_customer.customers.sight import Sight, one_of
from crm_customer.customers.uniqueness import require_unique_mobile
from crm_customer.people.queries import visible_contact
from crm_customer.people.recording import change_entries, entry_of, link_entries, move_entries
from crm_customer.people.rules import checked, checked_relation
from crm_customer.people.views import SeenContact
from crm_customer.search.projection import keep_contacts_in_search
from crm_customer.versions import stale_since


@dataclass(frozen=True)
class Draft:
    """What a user sends: texts by field; None leaves the owner and the main customer as they are. `unique_mobile`: no two
    customers may share a number, and this is held (customers/uniqueness.py).
    """

    given: Mapping[str, str | None]
    owner_id: UUID | None = None
    customer_id: UUID | None = None
    unique_mobile: bool = False


@dataclass(frozen=True)
class Relation:
    """How a contact belongs to a customer; None leaves it as it is, an empty relation type clears it."""

    relation_type: str | None = None
    is_primary: bool | None = None


@dataclass(frozen=True)
class Setting:
    """What values are checked against, and when."""

    reference: Reference
    today: date
    now: datetime


def create_contact(session: Session, sight: Sight, draft: Draft, relation: Relation, setting: Setting) -> Contact:
    """Store a contact (B-11 to B-26), of the caller unless it says otherwise; in a pool nobody owns it.

    Raises Invalid with every wrong field, Conflict claim_first, not_unique (G-04).
    """
    customer = _main_customer(session, sight, draft.customer_id)
    values, problems = checked({"name": None, **draft.given}, setting.reference, setting.today, {})
    relation_type, wrong = checked_relation(relation.relation_type, setting.reference)
    pooled = customer is not None and customer.pool_id is not None
    owner_id = draft.owner_id or (None if pooled else sight.scope.member_id)
    errors = owner_problems(session, sight, owner_id) if owner_id else []
    errors += [problem.error() for problem in problems + wrong]
    if errors:
        raise invalid(*errors)
    if draft.unique_mobile and customer is not None:
        require_unique_mobile(session, values.get("mobile"), [customer.id])
    contact = Contact(
        **dict.fromkeys(FORM_FIELDS) | values,
        id=new_id(),
        version=1,
        owner_id=owner_id,
        created_by=sight.scope.member_id,
        created_at=setting.now,
        updated_at=setting.now,
    )
    session.add(contact)
    session.flush()
    keep_contacts_in_search(session, {contact.id: contact.name})
    after = {name: value for name, value in values.items() if value is not None} | {"owner_id": owner_id}
    entries = [entry_of("contact.created", contact, sight, None, {"version": 1, **after})]
    if customer is not None:
        contact.customer_id = customer.id
        entries += link(session, sight, customer, contact, Relation(relation_type, relation.is_primary))
    record_audit(session, *entries)
    return contact


def change_contact(
    session: Session, sight: Sight, contact_id: UUID, draft: Draft, setting: Setting, expected: int
) -> None:
    """Change a contact (B-32). Sending what already holds changes nothing.

    Raises NotFound, Conflict claim_first, not_unique, Invalid, and Stale with both values of each clashing field.
    """
    main_id = visible_contact(session, sight, contact_id).contact.customer_id
    customer = _main_customer(session, sight, draft.customer_id) if draft.customer_id != main_id else None
    seen = visible_contact(session, sight, contact_id, lock=True)
    contact = seen.contact
    require_changeable(sight, seen)
    present = {name: getattr(contact, name) for name in FORM_FIELDS}
    values, problems = checked(draft.given, setting.reference, setting.today, present)
    given = draft.owner_id not in (None, contact.owner_id)
    errors = owner_problems(session, sight, draft.owner_id) if given and draft.owner_id else []
    errors += [problem.error() for problem in problems]
    if errors:
        raise invalid(*errors)
    values |= {"owner_id": draft.owner_id} if given else {}
    values |= {"customer_id": customer.id} if customer else {}
    if contact.version != expected:
        raise stale_since(session, CONTACT, contact, expected, values)
    of = {link.customer_id for link in seen.links} | ({customer.id} if customer else set())
    if draft.unique_mobile and of and values.get("mobile", contact.mobile) != contact.mobile:
        require_unique_mobile(session, values["mobile"], of)
    entries = []
    if customer is not None and all(one.customer_id != customer.id for one in seen.links):
        entries = link(session, sight, customer, contact, Relation())
    before = contact.change(values, setting.now)
    if before:
        session.flush()
        keep_contacts_in_search(session, {contact.id: contact.name})
        record_audit(session, *entries, *change_entries(seen, sight, before))


def delete_contacts(
    session: Session, sight: Sight, contacts: Sequence[SeenContact], now: datetime
) -> dict[UUID, Refusal]:
    """Put locked contacts into the recycle bin (B-33): they stay linked, without being primary. Returns who refuses.

    Who sees the company deletes all, others what is theirs (X-11); in a pool, sales claim first.
    """
    refused = _not_own(sight, contacts)
    done = [seen for seen in contacts if seen.contact.id not in refused and seen.contact.deleted_at is None]
    put_into_bin(session, [seen.contact.id for seen in done], now)
    record_audit(session, *move_entries("deleted", sight, done))
    return refused


def put_into_bin(session: Session, contact_ids: Sequence[UUID], now: datetime) -> None:
    """Delete locked contacts: they stay linked, without being primary."""
    _move(session, contact_ids, deleted_at=now, updated_at=now)
    primary = (one_of(CustomerContact.contact_id, contact_ids), CustomerContact.is_primary)
    session.execute(update(CustomerContact).where(*primary).values(is_primary=False), execution_options=_UNSYNCED)


def restore_contacts(
    session: Session, sight: Sight, contacts: Sequence[SeenContact], now: datetime
) -> dict[UUID, Refusal]:
    """Take locked contacts out of the recycle bin (B-38), primary again where nobody else is. Returns who refuses."""
    refused = _not_own(sight, contacts)
    done = [seen for seen in contacts if seen.contact.id not in refused and seen.contact.deleted_at is not None]
    ids = [seen.contact.id for seen in done]
    _move(session, ids, deleted_at=None, updated_at=now)
    session.execute(_make_primary(ids), execution_options=_UNSYNCED)
    record_audit(session, *move_entries("restored", sight, done))
    return refused


def lock_customers(session: Session, contact_ids: Sequence[UUID]) -> None:
    """Hold every customer of these contacts, so that who is primary changes nowhere else meanwhile."""
    linked = select(CustomerContact.customer_id).where(one_of(CustomerContact.contact_id, contact_ids))
    session.execute(
        select(Customer.id).where(Customer.id.in_(linked)).order_by(Customer.id).with_for_update(key_share=True)
    )


def link(session: Session, sight: Sight, customer: Customer, contact: Contact, relation: Relation) -> list[AuditEntry]:
    """Let a locked contact belong to a locked customer (B-31), or change how it does. Returns what to record.

    Exactly one is primary (B-37): the one marked last, and whoever comes first.
    """
    links = session.scalars(select(CustomerContact).where(_of(customer, contact))).all()
    primary = next((one for one in links if one.is_primary), None)
    present = next((one for one in links if one.contact_id == contact.id), None)
    found = present or CustomerContact(customer_id=customer.id, contact_id=contact.id, is_primary=False)
    before = {"relation_type": found.relation_type, "is_primary": found.is_primary}
    session.add(found)
    if relation.relation_type is not None:
        found.relation_type = relation.relation_type or None
    if (relation.is_primary or primary is None) and primary is not found:
        if primary is not None:
            primary.is_primary = False
            session.flush()
        found.is_primary = True
    session.flush()
    after = {"relation_type": found.relation_type, "is_primary": found.is_primary}
    if present and before == after:
        return []
    action = "contact_changed" if present else "contact_added"
    return link_entries(sight, action, customer, contact, before if present else None, after)


def require_changeable(sight: Sight, seen: SeenContact) -> None:
    """Refuse a change to whoever may only read the contact, as with customers: one way that allows it is enough.

    Raises Conflict claim_first in a pool (C-16), Forbidden read_only_collaborator (H-14).
    """
    if seen.must_claim:
        raise Conflict("claim_first")
    own = seen.contact.owner_id == sight.scope.member_id
    if not own and seen.ways and not any(way.writable for way in seen.ways):
        raise Forbidden("read_only_collaborator")


def _main_customer(session: Session, sight: Sight, customer_id: UUID | None) -> Customer | None:
    if customer_id is None:
        return None
    try:
        customer = visible_customer(session, sight, customer_id, lock=True)
    except NotFound as error:
        raise invalid(FieldError("/customer_id", "customer_not_found")) from error
    require_writable(session, sight, customer)
    return customer


def _not_own(sight: Sight, contacts: Sequence[SeenContact]) -> dict[UUID, Refusal]:
    found: dict[UUID, Refusal] = {}
    for seen in contacts:
        owners = {link.owner_id for link in seen.links}
        me = sight.scope.member_id
        if sight.scope.company or seen.contact.owner_id == me or owners == {me}:
            continue
        found[seen.contact.id] = Conflict("claim_first") if seen.must_claim else Forbidden("contact_delete_own_only")
    return found


_UNSYNCED: Any = {"synchronize_session": False}


def _move(session: Session, ids: Sequence[UUID], **values: Any) -> None:
    moved = update(Contact).where(one_of(Contact.id, ids)).values(version=Contact.version + 1, **values)
    session.execute(moved, execution_options=_UNSYNCED)


def _make_primary(ids: Sequence[UUID]) -> Any:
    """Of each customer without a primary contact: the oldest of these becomes it."""
    other = aliased(CustomerContact)
    taken = exists().where(other.customer_id == CustomerContact.customer_id, other.is_primary)
    first = (
        select(CustomerContact.customer_id, CustomerContact.contact_id)
        .join(Contact, Contact.id == CustomerContact.contact_id)
        .where(one_of(CustomerContact.contact_id, ids), ~taken)
        .ext(distinct_on(CustomerContact.customer_id))
        .order_by(CustomerContact.customer_id, Contact.created_at, Contact.id)
    )
    key = tuple_(CustomerContact.customer_id, CustomerContact.contact_id)
    return update(CustomerContact).where(key.in_(first)).values(is_primary=True)


def _of(customer: Customer, contact: Contact) -> Any:
    """The customer's link with the contact, and with whoever is primary."""
    mine = CustomerContact.is_primary | (CustomerContact.contact_id == contact.id)
    return (CustomerContact.customer_id == customer.id) & mine
