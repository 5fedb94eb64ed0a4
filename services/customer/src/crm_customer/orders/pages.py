"""Pages and totals of the list of orders inside a member's sight.

Three shapes, as for contacts (decision 0017): what is asked for and rare is collected and sorted; whoever sees many
customers walks the order's index, with the sight as a condition; whoever sees few has their orders collected, and walks
for those of customers in pools, which nobody owns.
"""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select, union, union_all
from sqlalchemy.orm import Session

from chassis.database import Database
from crm_customer.counting import Total, counted, explain
from crm_customer.customers.model import Customer
from crm_customer.customers.sight import Condition, Sight, met
from crm_customer.listing.texts import named_like
from crm_customer.orders.model import Order
from crm_customer.orders.views import OrderQuery
from crm_customer.paging import Shape, walk

_FEW_CUSTOMERS = 2_000
_FEW_ORDERS = 2_500
_MOST_NUMBER = 18


def page_of(session: Session, sight: Sight, wanted: OrderQuery, offset: int, limit: int) -> list[UUID]:
    """Ids of one page, in order."""
    return list(session.scalars(page_statement(session, sight, wanted, offset, limit)))


def page_statement(session: Session, sight: Sight, wanted: OrderQuery, offset: int, limit: int) -> Select[UUID]:
    """The statement of `page_of`, for the rest of this transaction."""
    shape = Shape.COLLECTED if _rare(session, sight, wanted) else shape_of(session, sight)
    if shape is not Shape.COLLECTED:
        walk(session)
    page = _merged(sight, wanted, offset + limit) if shape is Shape.MERGED else _straight(sight, wanted, shape)
    return page.offset(offset).limit(limit)


def total(database: Database, sight: Sight, wanted: OrderQuery) -> Total:
    """The size of the list."""
    found = select(Order.id).where(*_asked(sight, wanted))
    seen = found.join(Customer, Customer.id == Order.customer_id)
    seen = seen.where(Customer.deleted_at.is_(None), sight.condition())
    narrowing = wanted.model_dump_json(exclude={"page", "page_size", "sort"})
    # Who sees the company sees nearly all.
    return counted(database, ("orders", sight, narrowing), seen, {}, roughly=found if sight.scope.company else None)


def shape_of(session: Session, sight: Sight) -> Shape:
    """Whoever sees few customers outside pools has what is theirs collected."""
    if sight.scope.company:
        return Shape.WALKED
    few = union_all(*(select(arm.limit(_FEW_CUSTOMERS).subquery()) for arm in _near(sight))).subquery()
    count = session.scalar(select(func.count()).select_from(few)) or 0
    return Shape.MERGED if count < _FEW_CUSTOMERS else Shape.WALKED


def of_near(sight: Sight) -> Condition:
    """Orders of the customers that lie with somebody whom the member sees, or are shared with the member."""
    near = union_all(*_near(sight)).subquery("near")
    # As an array, which is looked up in the index whatever PostgreSQL takes its size to be.
    return Order.customer_id == func.any(func.array(select(near.c[0]).scalar_subquery()))


def seen_here(sight: Sight) -> Condition:
    """Whether the order just met is of a customer seen."""
    return met(Order, Customer.id == Order.customer_id, Customer.deleted_at.is_(None), sight.condition())


def _near(sight: Sight) -> list[Select[Any]]:
    places = (sight.owned, sight.in_departments, sight.unplaced, sight.shared)
    return [select(Customer.id).where(place, Customer.deleted_at.is_(None)) for place in places]


def _straight(sight: Sight, wanted: OrderQuery, shape: Shape) -> Select[UUID]:
    column = _column(wanted)
    # An order that no index has: what is asked for is collected, whatever PostgreSQL hopes to meet soon.
    column = column if shape is Shape.WALKED else column + timedelta()
    found = select(Order.id).where(*_asked(sight, wanted), seen_here(sight))
    return found.order_by(*_directed(wanted, column, Order.id))


def _merged(sight: Sight, wanted: OrderQuery, last: int) -> Select[UUID]:
    """Orders of the few customers that lie with somebody, and those of pools in order, no further than the page."""
    columns = (Order.id, _column(wanted).label("place"))
    asked = _asked(sight, wanted)
    collected = select(*columns).where(of_near(sight), *asked, seen_here(sight))
    walked = (
        select(*columns)
        .where(Order.owner_id.is_(None), *asked, seen_here(sight))
        # Nobody leads the order, so that the index of owners fits.
        .order_by(*_directed(wanted, Order.owner_id, _column(wanted), Order.id))
        .limit(last)
        .subquery("walked")
    )
    page = union(collected, select(walked)).subquery("page")
    return select(page.c.id).order_by(*_directed(wanted, page.c.place, page.c.id))


def _column(wanted: OrderQuery) -> Any:
    return getattr(Order, wanted.sort.removeprefix("-"))


def _directed(wanted: OrderQuery, *columns: Any) -> list[Any]:
    return [column.desc() if wanted.sort.startswith("-") else column.asc() for column in columns]


def _asked(sight: Sight, wanted: OrderQuery) -> list[Condition]:
    found = _indexed(sight, wanted)
    if wanted.currency:
        found.append(Order.currency == wanted.currency)
    if wanted.amount_from is not None:
        found.append(Order.amount >= wanted.amount_from)
    if wanted.amount_to is not None:
        found.append(Order.amount <= wanted.amount_to)
    return [_alive(wanted), *found]


def _alive(wanted: OrderQuery) -> Condition:
    return Order.deleted_at.is_not(None) if wanted.deleted else Order.deleted_at.is_(None)


def _indexed(sight: Sight, wanted: OrderQuery) -> list[Condition]:
    """What is asked for that an index knows."""
    found: list[Condition] = [
        getattr(Order, name) == value
        for name in ("status", "customer_id", "opportunity_id", "member_id", "owner_id")
        if (value := getattr(wanted, name))
    ]
    if wanted.deal_from or wanted.deal_to:
        found.append(Order.deal_on.between(wanted.deal_from or date.min, wanted.deal_to or date.max))
    if wanted.search:
        known = wanted.search.isdecimal() and len(wanted.search) <= _MOST_NUMBER
        named = Order.customer_id.in_(named_like(sight, wanted.search))
        found.append(Order.number == int(wanted.search) if known else named)
    return found


def _rare(session: Session, sight: Sight, wanted: OrderQuery) -> bool:
    """Whether what is asked for is fewer orders than a walk in order might pass before the page is full."""
    if wanted.deleted or wanted.customer_id or wanted.opportunity_id:
        return True
    asked = _indexed(sight, wanted)
    found = (select(Order.id).where(_alive(wanted), one) for one in asked)
    return any(int(explain(session, one, {})["Plan Rows"]) < _FEW_ORDERS for one in found)
