"""Orders with the names of what they refer to, as they are shown."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_customer.customers.model import Customer
from crm_customer.customers.sight import one_of
from crm_customer.customers.views import named
from crm_customer.money import CENT
from crm_customer.opportunities.model import Opportunity
from crm_customer.opportunities.queries import newest_open
from crm_customer.orders.model import Order
from crm_customer.orders.queries import lines_of, paid_for
from crm_customer.orders.views import CompletedOrder, LineView, OpenOpportunity, OrderDetail, OrderView
from directory.tables import members

_NAMED = ("customer", "opportunity", "member", "owner", "created_by")
_MOST_SUGGESTED = 20
_PLAIN = OrderView.model_fields.keys() - {*_NAMED, "paid"}


def orders_shown(session: Session, order_ids: Sequence[UUID]) -> list[OrderView]:
    """The orders, in the order of their ids; the scope was applied before."""
    found = {row.Order.id: row for row in session.execute(_named().where(one_of(Order.id, order_ids)))}
    paid = paid_for(session, order_ids)
    return [OrderView(**_values(found[id_]), paid=paid.get(id_, CENT * 0)) for id_ in order_ids if id_ in found]


def order_detail(session: Session, order_id: UUID) -> OrderDetail:
    """One order with its lines."""
    (shown,) = orders_shown(session, [order_id])
    lines = [LineView.model_validate(line) for line in lines_of(session, order_id)]
    return OrderDetail(**dict(shown), lines=lines)


def completed_order(session: Session, order_id: UUID) -> CompletedOrder:
    """An order just completed, with what it could be linked to (L-11)."""
    shown = order_detail(session, order_id)
    found = [] if shown.opportunity else newest_open(session, shown.customer.id, _MOST_SUGGESTED)
    return CompletedOrder(
        **dict(shown),
        suggest_opportunity=shown.opportunity is None,
        open_opportunities=[OpenOpportunity.model_validate(one) for one in found],
    )


def _named() -> Any:
    member, owner, creator = (members.alias(name) for name in ("member", "owner", "creator"))
    return (
        select(
            Order,
            Customer.name.label("customer"),
            Opportunity.name.label("opportunity"),
            *(one.c.name.label(label) for label, one in zip(_NAMED[2:], (member, owner, creator), strict=True)),
        )
        .join(Customer, Customer.id == Order.customer_id)
        .outerjoin(Opportunity, Opportunity.id == Order.opportunity_id)
        .outerjoin(member, member.c.id == Order.member_id)
        .outerjoin(owner, owner.c.id == Order.owner_id)
        .outerjoin(creator, creator.c.id == Order.created_by)
        .execution_options(populate_existing=True)
    )


def _values(row: Any) -> dict[str, Any]:
    order: Order = row.Order
    ids = (order.customer_id, order.opportunity_id, order.member_id, order.owner_id, order.created_by)
    names = {label: named(id_, getattr(row, label)) for label, id_ in zip(_NAMED, ids, strict=True)}
    return {name: getattr(order, name) for name in _PLAIN} | names
