"""Reading orders inside the reader's sight: whoever sees the customer sees its orders."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chassis.errors import NotFound
from crm_customer.customers.model import Customer
from crm_customer.customers.queries import require_writable, visible_customer
from crm_customer.customers.sight import Sight
from crm_customer.opportunities.model import Opportunity
from crm_customer.opportunities.queries import locked_opportunity
from crm_customer.orders.model import Order, OrderLine, Payment, Receivable
from crm_customer.orders.rules import Status

_ALIVE = Order.deleted_at.is_(None)
_COMPLETED = (Order.status == Status.COMPLETED, _ALIVE)


@dataclass(frozen=True)
class Held:
    """An order whose customer, opportunities and own row are locked, in this order (decision 0028)."""

    customer: Customer
    order: Order
    opportunities: dict[UUID, Opportunity]


def visible_order(session: Session, sight: Sight, order_id: UUID, *, deleted: bool | None = False) -> Order:
    """The order of a customer that the member sees; `deleted` None: in the recycle bin or not. Raises NotFound."""
    found = select(Order).join(Customer, Customer.id == Order.customer_id)
    found = found.where(Order.id == order_id, Customer.deleted_at.is_(None), sight.condition())
    if deleted is not None:
        found = found.where(Order.deleted_at.is_not(None) if deleted else _ALIVE)
    order = session.scalar(found.execution_options(populate_existing=True))
    if order is None:
        raise NotFound("not_found")
    return order


def held_order(
    session: Session, sight: Sight, order_id: UUID, *, linking: UUID | None = None, deleted: bool | None = False
) -> Held:
    """The order, locked for a change; `linking`: an opportunity that is locked too, if it exists.

    Raises NotFound, Conflict claim_first, Forbidden read_only_collaborator.
    """
    customer_id = visible_order(session, sight, order_id, deleted=deleted).customer_id
    customer = visible_customer(session, sight, customer_id, lock=True)
    require_writable(session, sight, customer)
    # Whoever changes an order holds its customer: what is read from here on stays.
    order = visible_order(session, sight, order_id, deleted=deleted)
    opportunities = locked_opportunities(session, customer, (order.opportunity_id, linking))
    session.refresh(order, with_for_update={"key_share": True})
    return Held(customer, order, opportunities)


def locked_opportunities(
    session: Session, customer: Customer, opportunity_ids: Collection[UUID | None]
) -> dict[UUID, Opportunity]:
    """Those of a locked customer's opportunities, locked; deleted ones too, of others none."""
    mine = select(Opportunity.id).where(
        Opportunity.customer_id == customer.id, Opportunity.id.in_([id_ for id_ in opportunity_ids if id_])
    )
    return {id_: locked_opportunity(session, id_) for id_ in session.scalars(mine.order_by(Opportunity.id)).all()}


def lines_of(session: Session, order_id: UUID) -> Sequence[OrderLine]:
    """The lines of an order, in order."""
    mine = select(OrderLine).where(OrderLine.order_id == order_id).order_by(OrderLine.position)
    return session.scalars(mine).all()


def completed_of(session: Session, opportunity_id: UUID) -> Decimal | None:
    """The sum of an opportunity's completed orders; None: there is none."""
    return session.scalar(select(func.sum(Order.amount)).where(Order.opportunity_id == opportunity_id, *_COMPLETED))


def facts_of(session: Session, customer_id: UUID) -> tuple[bool, datetime | None]:
    """Whether an order of the customer is completed, and when the last one was, by the server's clock (design §3)."""
    last = session.scalar(select(func.max(Order.completed_at)).where(Order.customer_id == customer_id, *_COMPLETED))
    return last is not None, last


def receivables_of(session: Session, order_id: UUID) -> Sequence[Receivable]:
    """What of an order is to be paid, what is due first before the rest."""
    mine = select(Receivable).where(Receivable.order_id == order_id, Receivable.deleted_at.is_(None))
    return session.scalars(mine.order_by(Receivable.due_on, Receivable.id)).all()


def paid_for(session: Session, order_ids: Collection[UUID]) -> dict[UUID, Decimal]:
    """What came in for each order that something came in for."""
    alive = (Payment.order_id.in_(order_ids), Payment.deleted_at.is_(None))
    rows = session.execute(select(Payment.order_id, func.sum(Payment.amount)).where(*alive).group_by(Payment.order_id))
    return {row[0]: row[1] for row in rows}
