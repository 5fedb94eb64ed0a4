"""REST of messages between members (J-11, J-12)."""

from collections.abc import Sequence
from functools import partial
from typing import cast
from uuid import UUID

from sqlalchemy.orm import Session

from chassis import clock
from chassis.errors import FieldError, invalid
from chassis.http.api import Access, Api, Page
from chassis.http.call import Call
from crm_notify.customers.clients import customer_name
from crm_notify.member_messages import commands, queries
from crm_notify.member_messages.model import MemberMessage
from crm_notify.member_messages.views import Answer, MessageQuery, MessageView, NewMessage
from crm_notify.notifications.queries import names_of
from crm_notify.paging import PagedQuery, page_of
from crm_notify.telling.events import mail_domain

api = Api("messages")

# Far more than anybody writes, far less than a script that runs wild.
_BUDGET = "200/hour"


@api.route(
    "POST",
    "/messages",
    access=Access.MEMBER,
    summary="Write to colleagues",
    body=NewMessage,
    reply=MessageView,
    status=201,
    idempotent=True,
)
def send_message(call: Call[NewMessage, None]) -> MessageView:
    """About a customer only when the writer sees it; 200 messages an hour."""
    if (earlier := call.earlier()) is not None:
        return cast(MessageView, earlier)
    call.runtime.limiter.spend(_BUDGET, "messages", str(call.actor.id))
    body, customer = call.body, _customer(call)

    def send(session: Session) -> MessageView:
        message = commands.send(
            session, call.actor.id, body.receiver_ids, body.text, customer, mail_domain(call.runtime)
        )
        return _views(session, [message], call.actor.id)[0]

    return call.command(send)


@api.route(
    "POST",
    "/messages/<uuid:message_id>:reply",
    access=Access.MEMBER,
    summary="Answer a message",
    body=Answer,
    reply=MessageView,
    status=201,
    idempotent=True,
)
def reply_to_message(call: Call[Answer, None], message_id: UUID) -> MessageView:
    """To its sender, or to everybody it concerns; whoever has left is passed over."""
    if (earlier := call.earlier()) is not None:
        return cast(MessageView, earlier)
    call.runtime.limiter.spend(_BUDGET, "messages", str(call.actor.id))
    body = call.body

    def reply(session: Session) -> MessageView:
        message = commands.answer(
            session, call.actor.id, message_id, body.text, body.everybody, mail_domain(call.runtime)
        )
        return _views(session, [message], call.actor.id)[0]

    return call.command(reply)


@api.route(
    "GET",
    "/messages",
    access=Access.MEMBER,
    summary="List one's own messages, newest first",
    query=MessageQuery,
    reply=Page[MessageView],
)
def list_messages(call: Call[None, MessageQuery]) -> Page[MessageView]:
    query = call.query
    with call.runtime.database.reading() as session:
        rows, total = queries.messages(session, call.actor.id, query)
        show = partial(_views, session, reader_id=call.actor.id)
        return page_of(rows, query, total, show, lambda row: (row.id,))


@api.route(
    "GET",
    "/messages/<uuid:message_id>",
    access=Access.MEMBER,
    summary="The conversation that a message is part of, newest first",
    query=PagedQuery,
    reply=Page[MessageView],
)
def show_conversation(call: Call[None, PagedQuery], message_id: UUID) -> Page[MessageView]:
    """As far as one wrote or got its messages."""
    query, reader_id = call.query, call.actor.id
    with call.runtime.database.reading() as session:
        message = queries.message_of(session, message_id, reader_id)
        rows, total = queries.conversation(session, message, reader_id, query)
        show = partial(_views, session, reader_id=reader_id)
        return page_of(rows, query, total, show, lambda row: (row.id,))


@api.route(
    "POST",
    "/messages/<uuid:message_id>:read",
    access=Access.MEMBER,
    summary="Confirm that one has read a message",
    reply=MessageView,
)
def read_message(call: Call[None, None], message_id: UUID) -> MessageView:
    """Its sender sees when; repeating it changes nothing, the first time of reading included."""

    def read(session: Session) -> MessageView:
        message = commands.confirm_reading(session, call.actor.id, message_id, clock.now())
        return _views(session, [message], call.actor.id)[0]

    return call.command(read)


@api.route(
    "POST",
    "/messages/<uuid:message_id>:withdraw",
    access=Access.MEMBER,
    summary="Take back one's own message",
    reply=MessageView,
)
def withdraw_message(call: Call[None, None], message_id: UUID) -> MessageView:
    """Its text is gone for everybody. What went out by e-mail stays out; repeating it changes nothing."""

    def take_back(session: Session) -> MessageView:
        message = commands.withdraw_message(session, call.actor.id, message_id, clock.now())
        return _views(session, [message], call.actor.id)[0]

    return call.command(take_back)


def _customer(call: Call[NewMessage, None]) -> tuple[UUID, str] | None:
    customer_id = call.body.customer_id
    if customer_id is None:
        return None
    name = customer_name(call.runtime, call.actor.id, customer_id)
    if name is None:
        raise invalid(FieldError("/customer_id", "customer_not_visible"))
    return customer_id, name


def _views(session: Session, rows: Sequence[MemberMessage], reader_id: UUID) -> list[MessageView]:
    names = names_of(session, {id_ for row in rows for id_ in (row.sender_id, *row.receiver_ids)})
    read = queries.read_times(session, [row.id for row in rows])
    return [MessageView.of(row, reader_id, names, read) for row in rows]
