"""REST of mailings (J-01 to J-08, J-15 to J-17): what can be sent, sending, progress and recipients, cancelling."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

from sqlalchemy.orm import Session

from batch.selection import filter_message
from chassis.clock import now
from chassis.errors import Conflict, FieldError, Forbidden, Invalid, Refusal, TooManyRequests, Unavailable
from chassis.http.api import Access, Api, Page
from chassis.http.call import Call
from chassis.logs import get_logger
from crm.common.v1.selection_pb2 import IdList, Selection
from crm.customer.v1 import customer_service_pb2 as pb
from crm_notify.customers.clients import list_recipients
from crm_notify.deliveries.model import Delivery
from crm_notify.deliveries.rules import Channel
from crm_notify.deliveries.rules import Status as DeliveryStatus
from crm_notify.deliveries.views import reason_of
from crm_notify.mailings import commands, queries
from crm_notify.mailings.collecting import recipients_request
from crm_notify.mailings.model import Mailing, MailingRecipient
from crm_notify.mailings.rules import MOST_RECIPIENTS, Status, masked
from crm_notify.mailings.views import (
    AttachmentView,
    Availability,
    Channels,
    ExampleView,
    MailingQuery,
    MailingRow,
    MailingText,
    MailingView,
    MemberView,
    NewMailing,
    PreviewView,
    Progress,
    RecipientQuery,
    RecipientView,
    SkippedView,
)
from crm_notify.message_templates.queries import common_values, template
from crm_notify.message_templates.rules import Wording, filled, wording_of, written
from crm_notify.notifications.queries import names_of
from crm_notify.settings import Settings
from directory.permissions import Permission
from directory.scope import zone_of

api = Api("mailings")
log = get_logger(__name__)
_LOOK_SECONDS, _LOOKED_AT, _EXAMPLES = 3, 100, 3


@api.route(
    "GET",
    "/mailings/channels",
    access=Permission.NOTIFY_MAIL,
    summary="Tell what can be sent to customers, and why not",
    reply=Channels,
)
def list_channels(call: Call[None, None]) -> Channels:
    """Without a mail server or an SMS provider its channel is off (J-01)."""
    return Channels(items=[_availability(call, channel) for channel in (Channel.EMAIL, Channel.SMS)])


@api.route(
    "POST",
    "/mailings:preview",
    access=Permission.NOTIFY_MAIL,
    summary="See a mailing as its first recipients would get it",
    body=MailingText,
    reply=PreviewView,
)
def preview_mailing(call: Call[MailingText, None]) -> PreviewView:
    """Nothing is kept or sent; also while no mail server is configured."""
    channel = Channel(call.body.channel)
    with call.runtime.database.reading() as session:
        wording, selection = _text(session, call.body), _selection(session, call.body)
    page = _looked(call, selection, channel, _LOOKED_AT)
    first = [one for one in page.recipients if not one.skip_code][:_EXAMPLES]
    with call.runtime.database.reading() as session:
        common = common_values(session, call.actor.id, {UUID(one.owner_id) for one in first if one.owner_id}, now())
    skipped: dict[str, int] = {}
    for one in page.recipients:
        if one.skip_code:
            skipped[one.skip_code] = skipped.get(one.skip_code, 0) + 1
    examples = []
    for one in first:
        values = common.of(one.customer_name, one.contact_name, UUID(one.owner_id) if one.owner_id else None)
        examples.append(_example(one, filled(wording, values)))
    return PreviewView(
        total=page.total,
        looked_at=len(page.recipients),
        recipients=len(page.recipients) - sum(skipped.values()),
        left_out=page.left_out,
        skipped=_skipped(call, skipped),
        examples=examples,
    )


@api.route(
    "POST",
    "/mailings",
    access=Permission.NOTIFY_MAIL,
    summary="Send an e-mail or SMS to customers",
    body=NewMailing,
    reply=MailingView,
    status=202,
    idempotent=True,
)
def write_mailing(call: Call[NewMailing, None]) -> MailingView:
    """全部发送, 当前页发送, 当前页已选中发送 (J-02 to J-04), pools' pages too (J-05, J-16): the text is frozen, and workers
    find the recipients and send. 409 mail_server_missing, sms_provider_missing, selection_too_large; 429 beyond the day's
    budget.
    """
    earlier = call.earlier()
    if earlier is not None:
        return cast("MailingView", earlier)
    body, channel = call.body, Channel(call.body.channel)
    missing = _missing(call, channel)
    if missing is not None:
        raise Conflict(missing)
    with call.runtime.database.reading() as session:
        wording, selection = _text(session, body), _selection(session, body)
    total = _expected(call, selection, channel)
    scope = body.selection.model_dump(mode="json", exclude_defaults=True)
    budget = cast("Settings", call.runtime.settings).mailing_recipients_per_day

    def work(session: Session) -> MailingView:
        mailing = commands.write(
            session,
            call.actor.id,
            channel,
            wording,
            body.template_id,
            selection,
            scope,
            list(dict.fromkeys(body.attachment_ids)),
            total,
            budget,
            now(),
        )
        return _view(session, call, mailing)

    return call.command(work)


@api.route(
    "GET",
    "/mailings",
    access=Access.MEMBER,
    summary="List mailings, newest first",
    query=MailingQuery,
    reply=Page[MailingRow],
)
def list_mailings(call: Call[None, MailingQuery]) -> Page[MailingRow]:
    """One's own; with the right audit.read everybody's."""
    query = call.query
    with call.runtime.database.reading() as session:
        rows, total = queries.mailings(session, _whose(call), query.channel, query.status, query.page, query.page_size)
        names = names_of(session, {row.actor_id for row in rows})
    items = [
        MailingRow(
            id=row.id,
            channel=row.kind,
            sender=MemberView(id=row.actor_id, name=names.get(row.actor_id, "")),
            subject=row.subject,
            status=Status(row.status),
            total=row.total,
            created_at=row.created_at,
            finished_at=row.finished_at,
        )
        for row in rows
    ]
    return Page[MailingRow](items=items, page=query.page, page_size=query.page_size, total=total)


@api.route(
    "GET",
    "/mailings/<uuid:mailing_id>",
    access=Access.MEMBER,
    summary="Read a mailing and how far it has come",
    reply=MailingView,
)
def read_mailing(call: Call[None, None], mailing_id: UUID) -> MailingView:
    """One's own; with the right audit.read anybody's."""
    with call.runtime.database.reading() as session:
        return _view(session, call, queries.mailing(session, mailing_id, _whose(call)))


@api.route(
    "GET",
    "/mailings/<uuid:mailing_id>/recipients",
    access=Access.MEMBER,
    summary="List the recipients of a mailing, and what became of each",
    query=RecipientQuery,
    reply=Page[RecipientView],
)
def list_mailing_recipients(call: Call[None, RecipientQuery], mailing_id: UUID) -> Page[RecipientView]:
    """Those who were skipped, and why, as well (J-06, J-17). Others than the sender see addresses masked."""
    query = call.query
    with call.runtime.database.reading() as session:
        mailing = queries.mailing(session, mailing_id, _whose(call))
        rows, total = queries.recipients(session, mailing_id, query.status, query.skipped, query.page, query.page_size)
    items = [_recipient(call, mailing, recipient, delivery) for recipient, delivery in rows]
    return Page[RecipientView](items=items, page=query.page, page_size=query.page_size, total=total)


@api.route(
    "POST",
    "/mailings/<uuid:mailing_id>:cancel",
    access=Access.MEMBER,
    summary="Cancel a mailing; what is sent stays sent",
    reply=MailingView,
    idempotent=True,
)
def cancel_mailing(call: Call[None, None], mailing_id: UUID) -> MailingView:
    """By who wrote it, or whoever holds notify.configure and sees it. 409 mailing_ended."""

    def work(session: Session) -> MailingView:
        mailing = queries.mailing(session, mailing_id, _whose(call), locked=True)
        if mailing.actor_id != call.actor.id and not call.actor.may(Permission.NOTIFY_CONFIGURE):
            raise Forbidden("forbidden", permission=Permission.NOTIFY_CONFIGURE)
        return _view(session, call, commands.cancel(session, mailing, call.actor.id, now()))

    return call.command(work)


def _whose(call: Call[Any, Any]) -> UUID | None:
    return None if call.actor.may(Permission.AUDIT_READ) else call.actor.id


def _missing(call: Call[Any, Any], channel: Channel) -> str | None:
    """The code of what a channel lacks."""
    settings = cast("Settings", call.runtime.settings)
    if channel is Channel.EMAIL:
        return None if settings.smtp_url else "mail_server_missing"
    return None if settings.sms_url else "sms_provider_missing"


def _availability(call: Call[None, None], channel: Channel) -> Availability:
    code = _missing(call, channel)
    reason = call.runtime.messages.text(code, call.language, {}) if code else None
    return Availability(channel=channel, available=code is None, code=code, reason=reason)


def _text(session: Session, body: MailingText) -> Wording:
    """The text given, or the template's. Raises Invalid."""
    if body.template_id is None:
        return written(Channel(body.channel), body.subject, body.body)
    try:
        kept = template(session, body.template_id)
    except Refusal as refusal:
        raise _invalid("/template_id", "unknown_template") from refusal
    if kept.channel != body.channel:
        raise _invalid("/template_id", "template_of_other_channel")
    return wording_of(kept.channel, kept.subject, kept.body)


def _selection(session: Session, body: MailingText) -> Selection:
    chosen = body.selection
    if chosen.filter is None:
        return Selection(ids=IdList(ids=list(map(str, dict.fromkeys(chosen.ids)))))
    return Selection(filter=filter_message(chosen.filter, zone_of(session)))


def _looked(call: Call[Any, Any], selection: Selection, channel: Channel, rows: int) -> pb.ListRecipientsResponse:
    """The first recipients. Raises customer's refusal, which names the part of the filter; Unavailable."""
    request = recipients_request(selection, channel, "", rows)
    try:
        return list_recipients(call.runtime, call.actor.id, request, _LOOK_SECONDS)
    except (Unavailable, TooManyRequests):
        raise
    except Refusal as refusal:
        refusal.errors = tuple(replace(one, pointer=f"/selection/filter{one.pointer}") for one in refusal.errors)
        raise


def _expected(call: Call[Any, Any], selection: Selection, channel: Channel) -> int:
    """About how many customers there are; 0 while customer is away: the worker will see. Raises Conflict."""
    try:
        total = _looked(call, selection, channel, 1).total
    except (Unavailable, TooManyRequests) as away:
        log.warning("mailing_unchecked", code=away.code)
        return 0
    if total > MOST_RECIPIENTS:
        raise Conflict("selection_too_large", most=MOST_RECIPIENTS)
    return total


def _invalid(pointer: str, code: str) -> Invalid:
    return Invalid(code, errors=[FieldError(pointer, code)])


def _example(one: pb.Recipient, wording: Wording) -> ExampleView:
    return ExampleView(
        customer_id=UUID(one.customer_id),
        customer_name=one.customer_name,
        contact_name=one.contact_name,
        address=one.address,
        subject=wording.subject,
        html=wording.html,
        text=wording.text,
    )


def _view(session: Session, call: Call[Any, Any], mailing: Mailing) -> MailingView:
    session.flush()
    delivered, skipped = queries.counts_of(session, mailing.id)
    sender = names_of(session, [mailing.actor_id]).get(mailing.actor_id, "")
    return MailingView(
        id=mailing.id,
        channel=mailing.kind,
        sender=MemberView(id=mailing.actor_id, name=sender),
        subject=mailing.subject,
        body=mailing.body,
        template_id=mailing.template_id,
        scope=mailing.scope,
        status=Status(mailing.status),
        error_code=mailing.error_code,
        error=_why_failed(call, mailing.error_code),
        attachments=[AttachmentView.model_validate(one) for one in queries.attachments_of(session, mailing.id)],
        progress=Progress(
            total=mailing.total,
            collected=sum(delivered.values()) + sum(skipped.values()),
            skipped=_skipped(call, skipped),
            **_progress(delivered),
        ),
        created_at=mailing.created_at,
        finished_at=mailing.finished_at,
    )


def _progress(delivered: Mapping[str, int]) -> dict[str, int]:
    counts = {status.value: delivered.get(status, 0) for status in DeliveryStatus}
    # For who reads it, given up is failed.
    counts["failed"] += counts.pop(DeliveryStatus.DEAD)
    return counts


def _skipped(call: Call[Any, Any], counts: Mapping[str, int]) -> list[SkippedView]:
    return [
        SkippedView(code=code, reason=call.runtime.messages.text(code, call.language, {}), count=count)
        for code, count in sorted(counts.items())
    ]


def _recipient(
    call: Call[Any, Any], mailing: Mailing, recipient: MailingRecipient, delivery: Delivery | None
) -> RecipientView:
    code = delivery.last_error_code if delivery else recipient.skip_code
    own = mailing.actor_id == call.actor.id
    return RecipientView(
        id=recipient.id,
        customer_id=recipient.customer_id,
        customer_name=recipient.customer_name,
        contact_name=recipient.contact_name,
        address=recipient.address if own else masked(mailing.channel, recipient.address),
        status=DeliveryStatus(delivery.status) if delivery else None,
        code=code,
        reason=reason_of(code, call.runtime.messages, call.language),
        delivery_id=delivery.id if delivery else None,
        sent_at=delivery.sent_at if delivery else None,
    )


def _why_failed(call: Call[Any, Any], code: str | None) -> str | None:
    if code is None:
        return None
    parameters = {"code": code, "most": MOST_RECIPIENTS}
    return call.runtime.messages.text((code, "recipients_refused"), call.language, parameters)
