"""Reading opportunities inside the reader's sight: whoever sees the customer sees its opportunities."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chassis.errors import NotFound
from crm_customer.customers.model import Customer
from crm_customer.customers.sight import Sight
from crm_customer.opportunities.model import Opportunity, OpportunitySettings


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


def settings(session: Session, *, lock: bool = False) -> OpportunitySettings:
    """The one row; `lock` it for a change."""
    found = select(OpportunitySettings).execution_options(populate_existing=True)
    return session.scalars(found.with_for_update() if lock else found).one()


def facts_of(session: Session, customer_id: UUID) -> tuple[int, datetime | None]:
    """How many opportunities of a locked customer are open, and when the last one came."""
    alive = (Opportunity.customer_id == customer_id, Opportunity.deleted_at.is_(None))
    still_open = func.count().filter(Opportunity.closed_at.is_(None))
    row = session.execute(select(still_open, func.max(Opportunity.created_at)).where(*alive)).one()
    return row[0], row[1]
