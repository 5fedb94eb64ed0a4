"""REST of orders."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.days import day_of
from chassis.http.api import Api, Page
from chassis.http.call import Call
from crm_customer.customers.queries import visible_customer
from crm_customer.customers.sight import sight_of
from crm_customer.orders import commands
from crm_customer.orders.details import completed_order, order_detail, orders_shown
from crm_customer.orders.drafting import Draft
from crm_customer.orders.pages import page_of, total
from crm_customer.orders.queries import visible_order
from crm_customer.orders.rules import Status, Step
from crm_customer.orders.views import (
    Cancellation,
    CompletedOrder,
    NewOrder,
    OrderChange,
    OrderDetail,
    OrderLink,
    OrderQuery,
    OrderView,
)
from directory.permissions import Permission

api = Api("orders")
READ, WRITE = Permission.CUSTOMER_READ, Permission.CUSTOMER_UPDATE
_ACT: dict[str, Any] = {"access": WRITE, "reply": OrderDetail, "idempotent": True, "versioned": True}


@api.route("GET", "/orders", access=READ, summary="List orders", query=OrderQuery, reply=Page[OrderView])
def list_orders(call: Call[None, OrderQuery]) -> Page[OrderView]:
    """Of the customers that the caller sees (L-20): of one customer, or of all."""
    query = call.query
    with call.runtime.database.reading() as session:
        sight = sight_of(session, call.actor.id)
        ids = page_of(session, sight, query, (query.page - 1) * query.page_size, query.page_size)
        items = orders_shown(session, ids)
    count = total(call.runtime.database, sight, query)
    return Page(
        items=items,
        page=query.page,
        page_size=query.page_size,
        total=count.rows,
        total_is_estimate=count.estimated,
    )


@api.route(
    "POST",
    "/orders",
    access=WRITE,
    summary="Create an order",
    body=NewOrder,
    reply=OrderDetail,
    status=201,
    idempotent=True,
    versioned=True,
)
def create_order(call: Call[NewOrder, None]) -> OrderDetail:
    """新增订单 (L-19), as a draft or confirmed. Price and amount of a line give each other (L-22). In a pool, sales claim first."""

    def work(session: Session) -> OrderDetail:
        body, sight, moment = call.body, sight_of(session, call.actor.id), now()
        customer = visible_customer(session, sight, body.customer_id, lock=True)
        today = day_of(moment, sight.scope.zone)
        made = commands.create_order(session, sight, customer, _draft(body), Status(body.status), moment, today)
        return order_detail(session, made.id)

    return call.command(work)


@api.route("GET", "/orders/<uuid:order_id>", access=READ, summary="Read an order", reply=OrderDetail, versioned=True)
def read_order(call: Call[None, None], order_id: UUID) -> OrderDetail:
    """With its lines; also out of the recycle bin."""
    with call.runtime.database.reading() as session:
        return order_detail(
            session, visible_order(session, sight_of(session, call.actor.id), order_id, deleted=None).id
        )


@api.route(
    "PATCH",
    "/orders/<uuid:order_id>",
    access=WRITE,
    summary="Change an order",
    body=OrderChange,
    reply=OrderDetail,
    versioned=True,
)
def change_order(call: Call[OrderChange, None], order_id: UUID) -> OrderDetail:
    """A draft or a confirmed one; only the fields sent change. A 412 lists both values of each field that someone else
    changed meanwhile.
    """
    expected, moment = call.expected_version(), now()
    with call.runtime.database.transaction() as session:
        sight = sight_of(session, call.actor.id)
        today = day_of(moment, sight.scope.zone)
        commands.change_order(session, sight, order_id, _draft(call.body), expected, moment, today)
        return order_detail(session, order_id)


@api.route(
    "DELETE",
    "/orders/<uuid:order_id>",
    access=WRITE,
    summary="Put an order into the recycle bin",
    status=204,
    versioned=True,
)
def delete_order(call: Call[None, None], order_id: UUID) -> None:
    """Soft. A completed order is cancelled first."""
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        commands.delete_order(session, sight_of(session, call.actor.id), order_id, expected, now())


@api.route("POST", "/orders/<uuid:order_id>:restore", summary="Take an order out of the recycle bin", **_ACT)
def restore_order(call: Call[None, None], order_id: UUID) -> OrderDetail:
    """As it was. One that is not deleted stays as it is."""
    return _done(call, order_id, commands.restore_order)


@api.route("POST", "/orders/<uuid:order_id>:confirm", summary="Confirm a draft", **_ACT)
def confirm_order(call: Call[None, None], order_id: UUID) -> OrderDetail:
    """From now on something of it may be due, and it can be completed (L-21)."""
    return _done(call, order_id, commands.move_order, Step.CONFIRM, "")


@api.route(
    "POST",
    "/orders/<uuid:order_id>:complete",
    summary="Complete a confirmed order",
    **_ACT | {"reply": CompletedOrder},
)
def complete_order(call: Call[None, None], order_id: UUID) -> CompletedOrder:
    """已完成 (L-21): the customer is won, and so is the order's opportunity (L-08 to L-10). Where it belongs to none, the
    reply suggests the customer's open ones (L-11).
    """

    def work(session: Session) -> CompletedOrder:
        commands.move_order(session, sight_of(session, call.actor.id), order_id, Step.COMPLETE, "", now())
        return completed_order(session, order_id)

    return call.command(work)


@api.route("POST", "/orders/<uuid:order_id>:cancel", summary="Cancel an order", body=Cancellation, **_ACT)
def cancel_order(call: Call[Cancellation, None], order_id: UUID) -> OrderDetail:
    """A completed one with a note: it wins nothing any more."""
    return _done(call, order_id, commands.move_order, Step.CANCEL, call.body.note)


@api.route("POST", "/orders/<uuid:order_id>:reopen", summary="Make an order a draft again", **_ACT)
def reopen_order(call: Call[None, None], order_id: UUID) -> OrderDetail:
    """A confirmed or cancelled one: what was done by mistake is undone."""
    return _done(call, order_id, commands.move_order, Step.REOPEN, "")


@api.route("POST", "/orders/<uuid:order_id>:link", summary="Link an order to an opportunity", body=OrderLink, **_ACT)
def link_order(call: Call[OrderLink, None], order_id: UUID) -> OrderDetail:
    """关联 (L-10, L-11): a completed one, too; null takes it off. Both opportunities follow."""
    return _done(call, order_id, commands.link_order, call.body.opportunity_id)


def _done(call: Call[Any, None], order_id: UUID, act: Callable[..., None], *given: Any) -> OrderDetail:
    def work(session: Session) -> OrderDetail:
        act(session, sight_of(session, call.actor.id), order_id, *given, now())
        return order_detail(session, order_id)

    return call.command(work)


def _draft(body: NewOrder | OrderChange) -> Draft:
    """What is sent; of a new order everything."""
    given = body.model_dump(exclude={"customer_id", "status"}, exclude_unset=isinstance(body, OrderChange))
    lines = given.pop("lines", None)
    if lines is not None:
        # Lines are replaced as a whole: what one leaves out is none of its own.
        lines = [line.model_dump() for line in body.lines]
    if "amount" in given:
        given["agreed"] = given.pop("amount")
    if "remark" in given:
        given["remark"] = given["remark"] or None
    return Draft(given, lines)
