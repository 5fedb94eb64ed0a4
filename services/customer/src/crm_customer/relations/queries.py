"""The contacts of one customer."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm_customer.contacts.model import Contact, CustomerContact


def contacts_of(session: Session, customer_id: UUID, offset: int, limit: int) -> tuple[Sequence[UUID], int]:
    """One page of them, the primary contact first, then the oldest; and how many there are (B-29, B-30)."""
    linked = (CustomerContact.contact_id == Contact.id, CustomerContact.customer_id == customer_id)
    found = select(Contact.id).join(CustomerContact, linked[0]).where(linked[1], Contact.deleted_at.is_(None))
    page = found.order_by(CustomerContact.is_primary.desc(), Contact.created_at, Contact.id)
    total = session.scalar(select(func.count()).select_from(found.subquery())) or 0
    return session.scalars(page.offset(offset).limit(limit)).all(), total
