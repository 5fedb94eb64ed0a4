"""Which contacts a customer has. Each function runs in the transaction its edge has opened."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.audit import record_audit
from chassis.errors import Conflict, NotFound, invalid
from crm_customer.contacts.model import CustomerContact
from crm_customer.customers.model import Customer
from crm_customer.customers.queries import require_writable, visible_customer
from crm_customer.customers.rules import Reference
from crm_customer.customers.sight import Sight
from crm_customer.people.commands import Relation, link, require_changeable
from crm_customer.people.queries import visible_contact
from crm_customer.people.recording import link_entries
from crm_customer.people.rules import checked_relation


def add_contact(
    session: Session,
    sight: Sight,
    customer_id: UUID,
    contact_id: UUID,
    relation: Relation,
    reference: Reference,
    now: datetime,
) -> None:
    """Let an existing contact belong to the customer (B-28, B-31), or change how it does (B-37).

    Raises NotFound, Conflict claim_first, primary_needed, Invalid. Numbers that the caller may not read are not taken
    out of a pool in this way.
    """
    customer = _writable_customer(session, sight, customer_id)
    seen = visible_contact(session, sight, contact_id, lock=True)
    require_changeable(sight, seen)
    if relation.is_primary is False and any(one.is_primary and one.customer_id == customer_id for one in seen.links):
        raise Conflict("primary_needed")
    present = next((one.relation_type for one in seen.links if one.customer_id == customer_id), None)
    relation_type, problems = checked_relation(relation.relation_type, reference, present)
    if problems:
        raise invalid(*(problem.error() for problem in problems))
    wanted = Relation(None if relation.relation_type is None else relation_type or "", relation.is_primary)
    entries = link(session, sight, customer, seen.contact, wanted)
    if seen.contact.customer_id is None:
        seen.contact.change({"customer_id": customer_id}, now)
    record_audit(session, *entries)


def remove_contact(session: Session, sight: Sight, customer_id: UUID, contact_id: UUID, now: datetime) -> None:
    """Take a contact off the customer; it stays with its other customers, or else with its owner.

    Raises NotFound, Conflict claim_first.
    """
    customer = _writable_customer(session, sight, customer_id)
    contact = visible_contact(session, sight, contact_id, lock=True).contact
    links = session.scalars(
        select(CustomerContact).where(CustomerContact.contact_id == contact_id).order_by(CustomerContact.customer_id)
    ).all()
    found = next((one for one in links if one.customer_id == customer_id), None)
    if found is None:
        raise NotFound("not_found")
    others = [one.customer_id for one in links if one is not found]
    before = {"relation_type": found.relation_type, "is_primary": found.is_primary}
    session.delete(found)
    main = contact.customer_id if contact.customer_id in others else next(iter(others), None)
    owner_id = contact.owner_id if others else contact.owner_id or sight.scope.member_id
    contact.change({"customer_id": main, "owner_id": owner_id}, now)
    record_audit(session, *link_entries(sight, "contact_removed", customer, contact, before, None))


def _writable_customer(session: Session, sight: Sight, customer_id: UUID) -> Customer:
    customer = visible_customer(session, sight, customer_id, lock=True)
    require_writable(session, sight, customer)
    return customer
