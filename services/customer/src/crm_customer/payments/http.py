"""REST of receivables and payments."""

from uuid import UUID

from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.days import day_of
from chassis.http.api import Api, Page, PageQuery
from chassis.http.call import Call
from crm_customer.customers.sight import sight_of
from crm_customer.orders.model import Receivable
from crm_customer.orders.queries import paid_for, receivables_of, visible_order
from crm_customer.orders.rules import total
from crm_customer.payments import commands, queries
from crm_customer.payments.views import (
    NewPayment,
    NewReceivable,
    OutstandingQuery,
    OutstandingView,
    PaymentView,
    ReceivableChange,
    ReceivablesView,
    ReceivableView,
)
from directory.permissions import Permission

api = Api("orders")
READ, WRITE = Permission.CUSTOMER_READ, Permission.CUSTOMER_UPDATE


@api.route(
    "GET",
    "/orders/receivables",
    access=READ,
    summary="List what is not paid",
    query=OutstandingQuery,
    reply=Page[OutstandingView],
)
def list_outstanding(call: Call[None, OutstandingQuery]) -> Page[OutstandingView]:
    """应收提醒 (K-06): of confirmed and completed orders of the customers that the caller sees, what is due first before
    the rest. Amounts are in each order's currency.
    """
    query = call.query
    with call.runtime.database.reading() as session:
        sight = sight_of(session, call.actor.id)
        today = day_of(now(), sight.scope.zone)
        items = queries.outstanding_of(session, sight, query, today)
    count = queries.outstanding_total(call.runtime.database, sight, query, today)
    return Page(
        items=items,
        page=query.page,
        page_size=query.page_size,
        total=count.rows,
        total_is_estimate=count.estimated,
    )


@api.route(
    "GET",
    "/orders/<uuid:order_id>/receivables",
    access=READ,
    summary="List the receivables of an order",
    reply=ReceivablesView,
)
def list_receivables(call: Call[None, None], order_id: UUID) -> ReceivablesView:
    """应收 (L-25): at most 100, with what payments leave of each."""
    with call.runtime.database.reading() as session:
        order = visible_order(session, sight_of(session, call.actor.id), order_id, deleted=None)
        items = [ReceivableView.model_validate(one) for one in receivables_of(session, order_id)]
        paid = paid_for(session, [order_id]).get(order_id, total([]))
    return ReceivablesView(items=items, order_amount=order.amount, paid=paid, currency=order.currency)


@api.route(
    "POST",
    "/orders/<uuid:order_id>/receivables",
    access=WRITE,
    summary="Add a receivable to an order",
    body=NewReceivable,
    reply=ReceivableView,
    status=201,
    idempotent=True,
    versioned=True,
)
def add_receivable(call: Call[NewReceivable, None], order_id: UUID) -> ReceivableView:
    """Together not more than the order's amount."""

    def work(session: Session) -> ReceivableView:
        sight = sight_of(session, call.actor.id)
        return _view(commands.add_receivable(session, sight, order_id, call.body.model_dump(), now()))

    return call.command(work)


@api.route(
    "PATCH",
    "/orders/<uuid:order_id>/receivables/<uuid:receivable_id>",
    access=WRITE,
    summary="Change a receivable",
    body=ReceivableChange,
    reply=ReceivableView,
    versioned=True,
)
def change_receivable(call: Call[ReceivableChange, None], order_id: UUID, receivable_id: UUID) -> ReceivableView:
    """Its day, its amount or its note."""
    expected, values = call.expected_version(), call.body.model_dump(exclude_unset=True)
    with call.runtime.database.transaction() as session:
        sight, ids = sight_of(session, call.actor.id), (order_id, receivable_id)
        return _view(commands.change_receivable(session, sight, ids, expected, values, now()))


@api.route(
    "DELETE",
    "/orders/<uuid:order_id>/receivables/<uuid:receivable_id>",
    access=WRITE,
    summary="Delete a receivable",
    status=204,
    versioned=True,
)
def delete_receivable(call: Call[None, None], order_id: UUID, receivable_id: UUID) -> None:
    """What was paid covers the others."""
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        commands.delete_receivable(
            session, sight_of(session, call.actor.id), (order_id, receivable_id), expected, now()
        )


@api.route(
    "GET",
    "/orders/<uuid:order_id>/payments",
    access=READ,
    summary="List the payments for an order",
    query=PageQuery,
    reply=Page[PaymentView],
)
def list_payments(call: Call[None, PageQuery], order_id: UUID) -> Page[PaymentView]:
    """回款 (L-25), newest first."""
    query = call.query
    with call.runtime.database.reading() as session:
        visible_order(session, sight_of(session, call.actor.id), order_id, deleted=None)
        items, count = queries.payments_of(session, order_id, query.page, query.page_size)
    return Page(items=items, page=query.page, page_size=query.page_size, total=count)


@api.route(
    "POST",
    "/orders/<uuid:order_id>/payments",
    access=WRITE,
    summary="Record a payment",
    body=NewPayment,
    reply=PaymentView,
    status=201,
    idempotent=True,
)
def add_payment(call: Call[NewPayment, None], order_id: UUID) -> PaymentView:
    """Of a confirmed or completed order; it covers what is due first. More than is open only with `overpaid`."""

    def work(session: Session) -> PaymentView:
        body, sight, moment = call.body, sight_of(session, call.actor.id), now()
        values, today = body.model_dump(exclude={"overpaid"}), day_of(moment, sight.scope.zone)
        made = commands.add_payment(session, sight, order_id, values, moment, today, overpaid=body.overpaid)
        return queries.payment_view(session, made.id)

    return call.command(work)


@api.route(
    "DELETE",
    "/orders/<uuid:order_id>/payments/<uuid:payment_id>",
    access=WRITE,
    summary="Delete a payment",
    status=204,
)
def delete_payment(call: Call[None, None], order_id: UUID, payment_id: UUID) -> None:
    """A payment is never changed, so that it has no version: what was wrong is deleted and recorded anew."""
    with call.runtime.database.transaction() as session:
        commands.delete_payment(session, sight_of(session, call.actor.id), (order_id, payment_id), now())


def _view(receivable: Receivable) -> ReceivableView:
    return ReceivableView.model_validate(receivable)
