"""REST of message templates: whoever sends reads them, whoever configures writes them (J-08)."""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.errors import FieldError, invalid
from chassis.http.api import Api, Page
from chassis.http.call import Call
from crm.common.v1.selection_pb2 import IdList, Selection
from crm.customer.v1 import customer_service_pb2 as pb
from crm_notify.customers.clients import list_recipients
from crm_notify.deliveries.rules import Channel
from crm_notify.message_templates import commands, queries
from crm_notify.message_templates.model import MessageTemplate
from crm_notify.message_templates.rules import filled, written
from crm_notify.message_templates.views import (
    FilledView,
    NewTemplate,
    TemplateChanges,
    TemplateQuery,
    TemplateRow,
    TemplateView,
    TextToPreview,
)
from directory.permissions import Permission

api = Api("message templates")
_LOOK_SECONDS = 3
_SAMPLES = {"zh": ("远大科技有限公司", "王芳"), "en": ("Yuanda Technology Ltd", "Wang Fang")}


@api.route(
    "GET",
    "/message-templates",
    access=Permission.NOTIFY_MAIL,
    summary="List message templates by name",
    query=TemplateQuery,
    reply=Page[TemplateRow],
)
def list_templates(call: Call[None, TemplateQuery]) -> Page[TemplateRow]:
    query = call.query
    with call.runtime.database.reading() as session:
        rows, total = queries.templates(session, query.channel, query.deleted, query.page, query.page_size)
        items = [TemplateRow.model_validate(row) for row in rows]
    return Page[TemplateRow](items=items, page=query.page, page_size=query.page_size, total=total)


@api.route(
    "GET",
    "/message-templates/<uuid:template_id>",
    access=Permission.NOTIFY_MAIL,
    summary="Read a message template",
    reply=TemplateView,
    versioned=True,
)
def read_template(call: Call[None, None], template_id: UUID) -> TemplateView:
    with call.runtime.database.reading() as session:
        return _view(queries.template(session, template_id))


@api.route(
    "POST",
    "/message-templates",
    access=Permission.NOTIFY_CONFIGURE,
    summary="Keep a message template",
    body=NewTemplate,
    reply=TemplateView,
    status=201,
    idempotent=True,
    versioned=True,
)
def keep_template(call: Call[NewTemplate, None]) -> TemplateView:
    """HTML is cleaned before it is kept; a variable that there is none of is refused."""
    body = call.body

    def work(session: Session) -> TemplateView:
        channel = Channel(body.channel)
        return _view(commands.keep(session, call.actor.id, channel, body.name, body.subject, body.body, now()))

    return call.command(work)


@api.route(
    "PATCH",
    "/message-templates/<uuid:template_id>",
    access=Permission.NOTIFY_CONFIGURE,
    summary="Change a message template",
    body=TemplateChanges,
    reply=TemplateView,
    versioned=True,
)
def change_template(call: Call[TemplateChanges, None], template_id: UUID) -> TemplateView:
    """Only what is sent changes. Mailings that were written with it keep their text."""
    expected, changes = call.expected_version(), call.body.model_dump(exclude_none=True)
    with call.runtime.database.transaction() as session:
        return _view(commands.change(session, call.actor.id, template_id, expected, changes, now()))


@api.route(
    "DELETE",
    "/message-templates/<uuid:template_id>",
    access=Permission.NOTIFY_CONFIGURE,
    summary="Delete a message template",
    status=204,
    versioned=True,
)
def delete_template(call: Call[None, None], template_id: UUID) -> None:
    """It can be brought back."""
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        commands.delete(session, call.actor.id, template_id, expected, now())


@api.route(
    "POST",
    "/message-templates/<uuid:template_id>:restore",
    access=Permission.NOTIFY_CONFIGURE,
    summary="Bring a deleted message template back",
    reply=TemplateView,
    idempotent=True,
    versioned=True,
)
def restore_template(call: Call[None, None], template_id: UUID) -> TemplateView:
    return call.command(lambda session: _view(commands.restore(session, call.actor.id, template_id, now())))


@api.route(
    "POST",
    "/message-templates:preview",
    access=Permission.NOTIFY_MAIL,
    summary="See a text as a customer would get it",
    body=TextToPreview,
    reply=FilledView,
)
def preview_template(call: Call[TextToPreview, None]) -> FilledView:
    """With samples, or with the values of a customer that one sees. Nothing is kept or sent."""
    body = call.body
    wording = written(Channel(body.channel), body.subject, body.body)
    customer_name, contact_name, owner_id = _receiver(call)
    with call.runtime.database.reading() as session:
        values = queries.common_values(session, call.actor.id, [owner_id], now())
    return FilledView.model_validate(filled(wording, values.of(customer_name, contact_name, owner_id)))


def _receiver(call: Call[TextToPreview, Any]) -> tuple[str, str, UUID]:
    """Names of customer and contact, and the owner. Raises Invalid, customer's refusal, Unavailable."""
    customer_id = call.body.customer_id
    if customer_id is None:
        return (*_SAMPLES[call.language], call.actor.id)
    request = pb.ListRecipientsRequest(
        selection=Selection(ids=IdList(ids=[str(customer_id)])), address=pb.ADDRESS_KIND_EMAIL, page_size=1
    )
    found = list_recipients(call.runtime, call.actor.id, request, _LOOK_SECONDS).recipients
    if not found:
        raise invalid(FieldError("/customer_id", "unknown_customer"))
    owner_id = UUID(found[0].owner_id) if found[0].owner_id else UUID(int=0)
    return found[0].customer_name, found[0].contact_name, owner_id


def _view(row: MessageTemplate) -> TemplateView:
    return TemplateView.model_validate(row)
