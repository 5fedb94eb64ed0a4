"""Reading receivables and payments inside the reader's sight.

The list across customers walks what is outstanding in the order of its days where the reader sees many customers, and
collects it where there are few (decision 0017). Of customers in pools only whoever sees the company is told.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.errors import NotFound
from crm_customer.counting import Total, counted
from crm_customer.customers.model import Customer
from crm_customer.customers.sight import Condition, Sight, met, one_of
from crm_customer.customers.views import Named, named
from crm_customer.orders.model import Order, Payment, Receivable
from crm_customer.orders.pages import of_near, shape_of
from crm_customer.paging import Shape, walk
from crm_customer.payments.views import OrderNumber, OutstandingQuery, OutstandingView, PaymentView
from directory.tables import members

# Order and customer of a receivable.
_ITS = (Order.id == Receivable.order_id, Customer.id == Order.customer_id)


def receivable_of(session: Session, order_id: UUID, receivable_id: UUID) -> Receivable:
    """A receivable of a locked order. Raises NotFound."""
    mine = (Receivable.id == receivable_id, Receivable.order_id == order_id, Receivable.deleted_at.is_(None))
    found = session.scalar(select(Receivable).where(*mine).execution_options(populate_existing=True))
    if found is None:
        raise NotFound("not_found")
    return found


def payment_of(session: Session, order_id: UUID, payment_id: UUID) -> Payment:
    """A payment for a locked order. Raises NotFound."""
    mine = (Payment.id == payment_id, Payment.order_id == order_id, Payment.deleted_at.is_(None))
    found = session.scalar(select(Payment).where(*mine).execution_options(populate_existing=True))
    if found is None:
        raise NotFound("not_found")
    return found


def payments_of(session: Session, order_id: UUID, page: int, page_size: int) -> tuple[list[PaymentView], int]:
    """One page of what came in for an order, newest first, and how many there are."""
    mine = (Payment.order_id == order_id, Payment.deleted_at.is_(None))
    newest = (Payment.paid_on.desc(), Payment.id.desc())
    found = _named().where(*mine).order_by(*newest).offset((page - 1) * page_size).limit(page_size)
    total = session.scalar(select(func.count()).select_from(Payment).where(*mine)) or 0
    return [_view(row) for row in session.execute(found)], total


def payment_view(session: Session, payment_id: UUID) -> PaymentView:
    """One payment; the scope was applied before."""
    return _view(session.execute(_named().where(Payment.id == payment_id)).one())


def outstanding_of(session: Session, sight: Sight, wanted: OutstandingQuery, today: date) -> list[OutstandingView]:
    """One page of the receivables that are not paid, what is due first before the rest (K-06)."""
    ids = list(session.scalars(outstanding_page(session, sight, wanted, today)))
    owner = members.alias("owner")
    found = (
        select(Receivable, Order.number, Order.currency, Customer.id, Customer.name, Customer.owner_id, owner.c.name)
        .join(Order, Order.id == Receivable.order_id)
        .join(Customer, Customer.id == Order.customer_id)
        .outerjoin(owner, owner.c.id == Customer.owner_id)
        .where(one_of(Receivable.id, ids))
        .order_by(Receivable.due_on, Receivable.id)
    )
    return [_outstanding(row, today) for row in session.execute(found)]


def outstanding_page(session: Session, sight: Sight, wanted: OutstandingQuery, today: date) -> Select[UUID]:
    """Ids of the page, for the rest of this transaction."""
    asked = (*_asked(wanted, today), _seen(sight))
    if shape_of(session, sight) is Shape.WALKED:
        walk(session)
        page: Select[Any] = select(Receivable.id).where(*asked).order_by(Receivable.due_on, Receivable.id)
    else:
        found = _collected(of_near(sight), asked).subquery("found")
        page = select(found.c.id).order_by(found.c.due_on, found.c.id)
    return page.offset((wanted.page - 1) * wanted.page_size).limit(wanted.page_size)


def outstanding_total(database: Database, sight: Sight, wanted: OutstandingQuery, today: date) -> Total:
    """The size of the list."""
    found = select(Receivable.id).where(*_asked(wanted, today))
    seen = found.join(Order, Order.id == Receivable.order_id).join(Customer, Customer.id == Order.customer_id)
    key = ("receivables", sight, today, wanted.model_dump_json(exclude={"page", "page_size"}))
    return counted(database, key, seen.where(*_of_customers(sight)), {}, roughly=found)


def _collected(orders: Condition, asked: Sequence[Condition]) -> Select[UUID, date]:
    """What is outstanding of some orders: these are found first, and looked up in the index of receivables."""
    mine = func.array(select(Order.id).where(orders).scalar_subquery())
    return select(Receivable.id, Receivable.due_on).where(Receivable.order_id == func.any(mine), *asked)


def _asked(wanted: OutstandingQuery, today: date) -> list[Condition]:
    found: list[Condition] = [Receivable.outstanding > 0]
    if wanted.due_from or wanted.due_to:
        found.append(Receivable.due_on.between(wanted.due_from or date.min, wanted.due_to or date.max))
    if wanted.overdue is not None:
        found.append(Receivable.due_on < today if wanted.overdue else Receivable.due_on >= today)
    if wanted.owner_id:
        found.append(met(Receivable, *_ITS, Customer.owner_id == wanted.owner_id))
    return found


def _of_customers(sight: Sight) -> list[Condition]:
    found = [Customer.deleted_at.is_(None), sight.condition()]
    return found if sight.scope.company else [*found, Customer.pool_id.is_(None)]


def _seen(sight: Sight) -> Condition:
    """Whether the receivable just met is of a customer seen."""
    return met(Receivable, *_ITS, *_of_customers(sight))


def _outstanding(row: Any, today: date) -> OutstandingView:
    one, order_number, currency, customer_id, name, owner_id, owner_name = row
    return OutstandingView(
        id=one.id,
        customer=Named(id=customer_id, name=name),
        owner=named(owner_id, owner_name),
        order=OrderNumber(id=one.order_id, number=order_number),
        due_on=one.due_on,
        overdue_days=max(timedelta(), today - one.due_on).days,
        amount=one.amount,
        outstanding=one.outstanding,
        currency=currency,
    )


def _named() -> Select[Any]:
    return select(Payment, members.c.name).outerjoin(members, members.c.id == Payment.created_by)


def _view(row: Any) -> PaymentView:
    one, name = row
    columns = {field: getattr(one, field) for field in PaymentView.model_fields if field != "created_by"}
    return PaymentView(**columns, created_by=Named(id=one.created_by, name=name or ""))
