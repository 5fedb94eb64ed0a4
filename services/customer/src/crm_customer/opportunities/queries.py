"""Reading opportunities inside the reader's sight: whoever sees the customer sees its opportunities."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Text, Uuid, column, exists, func, select, table
from sqlalchemy.orm import Session

from chassis.errors import NotFound
from crm_customer.contacts.model import Contact, CustomerContact
from crm_customer.customers.model import Customer
from crm_customer.customers.queries import require_writable, visible_customer
from crm_customer.customers.sight import Sight, one_of
from crm_customer.opportunities.model import Opportunity
from crm_customer.opportunities.views import SeenOpportunity
from directory.tables import members

# Orders build on opportunities, which know of them only this.
_ORDERS = table("orders", column("opportunity_id", Uuid), column("status", Text), column("deleted_at"))


def locked_opportunity(session: Session, opportunity_id: UUID) -> Opportunity:
    """The opportunity with its row locked, deleted or not; lock its customer before. Raises NotFound."""
    mine = select(Opportunity).where(Opportunity.id == opportunity_id).with_for_update(key_share=True)
    found = session.scalar(mine.execution_options(populate_existing=True))
    if found is None:
        raise NotFound("not_found")
    return found


def visible_opportunity(
    session: Session, sight: Sight, opportunity_id: UUID, *, deleted: bool | None = False
) -> Opportunity:
    """The opportunity of a customer that the member sees; `deleted` None: in the recycle bin or not. Raises NotFound."""
    found = select(Opportunity).join(Customer, Customer.id == Opportunity.customer_id)
    found = found.where(Opportunity.id == opportunity_id, Customer.deleted_at.is_(None), sight.condition())
    if deleted is not None:
        found = found.where(Opportunity.deleted_at.is_not(None) if deleted else Opportunity.deleted_at.is_(None))
    opportunity = session.scalar(found.execution_options(populate_existing=True))
    if opportunity is None:
        raise NotFound("not_found")
    return opportunity


def held_opportunity(
    session: Session, sight: Sight, opportunity_id: UUID, *, deleted: bool | None = False
) -> tuple[Customer, Opportunity]:
    """The opportunity and its customer, locked for a change. Raises NotFound, Conflict claim_first, Forbidden
    read_only_collaborator.
    """
    customer_id = visible_opportunity(session, sight, opportunity_id, deleted=deleted).customer_id
    customer = visible_customer(session, sight, customer_id, lock=True)
    require_writable(session, sight, customer)
    opportunity = locked_opportunity(session, opportunity_id)
    if deleted is False and opportunity.deleted_at is not None:
        raise NotFound("not_found")
    return customer, opportunity


def facts_of(session: Session, customer_id: UUID) -> tuple[int, datetime | None]:
    """How many opportunities of a locked customer are open, and when the last one came."""
    alive = (Opportunity.customer_id == customer_id, Opportunity.deleted_at.is_(None))
    still_open = func.count().filter(Opportunity.closed_at.is_(None))
    row = session.execute(select(still_open, func.max(Opportunity.created_at)).where(*alive)).one()
    return row[0], row[1]


def seen_opportunities(session: Session, sight: Sight, opportunity_ids: Sequence[UUID]) -> list[SeenOpportunity]:
    """The opportunities with everything a view shows, in the order of `opportunity_ids`; the sight was applied before."""
    owner, creator = members.alias("owner"), members.alias("creator")
    columns = (Opportunity, Customer.name, Customer.pool_id, Contact.name, owner.c.name, owner.c.active, creator.c.name)
    rows = session.execute(
        select(*columns, _ordered())
        .join(Customer, Customer.id == Opportunity.customer_id)
        .outerjoin(Contact, Contact.id == Opportunity.contact_id)
        .outerjoin(owner, owner.c.id == Opportunity.owner_id)
        .outerjoin(creator, creator.c.id == Opportunity.created_by)
        .where(one_of(Opportunity.id, opportunity_ids)),
        execution_options={"populate_existing": True},
    )
    found = {row[0].id: _seen(sight, *row) for row in rows}
    return [found[id_] for id_ in opportunity_ids if id_ in found]


def _seen(sight: Sight, opportunity: Opportunity, name: str, pool_id: UUID | None, contact: str, *others: Any) -> Any:
    hidden = "contact.name" in sight.hidden_in(pool_id)
    return SeenOpportunity(opportunity, name, "" if hidden else contact or "", *others)


def is_ordered(session: Session, opportunity_id: UUID) -> bool:
    """Whether an order is linked to the opportunity."""
    return session.scalar(select(_ordered()).where(Opportunity.id == opportunity_id)) or False


def has_contact(session: Session, customer_id: UUID, contact_id: UUID) -> bool:
    """Whether the contact, not deleted, belongs to the customer."""
    linked = select(Contact.id).join(CustomerContact, CustomerContact.contact_id == Contact.id)
    mine = (CustomerContact.customer_id == customer_id, Contact.id == contact_id, Contact.deleted_at.is_(None))
    return session.scalar(linked.where(*mine)) is not None


def newest_open(session: Session, customer_id: UUID, most: int) -> Sequence[Opportunity]:
    """The open opportunities of a customer, newest first."""
    mine = (Opportunity.customer_id == customer_id, Opportunity.closed_at.is_(None), Opportunity.deleted_at.is_(None))
    newest = (Opportunity.created_at.desc(), Opportunity.id.desc())
    return session.scalars(select(Opportunity).where(*mine).order_by(*newest).limit(most)).all()


def _ordered() -> Any:
    """Whether the opportunity just met has orders, not cancelled."""
    mine = (_ORDERS.c.opportunity_id == Opportunity.id, _ORDERS.c.deleted_at.is_(None))
    return exists().where(*mine, _ORDERS.c.status != "cancelled")
