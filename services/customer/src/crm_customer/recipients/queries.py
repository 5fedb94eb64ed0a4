"""Whom mailings reach: by the list's own builder, as the sender sees customers when a page is read (J-02 to J-06)."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from crm_customer.contacts.model import Contact, CustomerContact
from crm_customer.customers.model import Customer
from crm_customer.customers.sight import Sight, one_of
from crm_customer.recipients.rules import Reading, addressed


@dataclass(frozen=True)
class Recipient:
    """One customer, with its primary contact's address or why there is none."""

    customer_id: UUID
    customer_name: str
    contact_name: str
    address: str
    skip_code: str
    owner_id: UUID | None


def recipients_among(session: Session, sight: Sight, ids: Sequence[UUID], reading: Reading) -> list[Recipient]:
    """Customers, in the order of `ids`, which are in sight. One statement."""
    linked = and_(CustomerContact.customer_id == Customer.id, CustomerContact.is_primary)
    alive = and_(Contact.id == CustomerContact.contact_id, Contact.deleted_at.is_(None))
    address = getattr(Contact, reading.field).label("address")
    statement = (
        select(Customer.id, Customer.name, Customer.pool_id, Customer.owner_id, Contact.name.label("contact"), address)
        .outerjoin(CustomerContact, linked)
        .outerjoin(Contact, alive)
        .where(one_of(Customer.id, ids), Customer.deleted_at.is_(None))
    )
    found = {}
    for row in session.execute(statement):
        hidden = sight.hidden_in(row.pool_id)
        known = addressed(row.address, reading, hidden=f"contact.{reading.field}" in hidden)
        found[row.id] = Recipient(
            customer_id=row.id,
            customer_name=row.name,
            contact_name="" if row.contact is None or "contact.name" in hidden else row.contact,
            address="" if row.contact is None else known[0],
            skip_code="no_contact" if row.contact is None else known[1],
            owner_id=row.owner_id,
        )
    return [found[id_] for id_ in ids if id_ in found]
