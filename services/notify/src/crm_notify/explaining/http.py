"""REST of explanations: why was I told, or not (K-12, design §2.7)."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from chassis import clock
from chassis.days import span
from chassis.errors import FieldError, Forbidden, NotFound, invalid
from chassis.http.api import Access, Api
from chassis.http.call import Call
from crm_notify.deliveries.http import reason_of
from crm_notify.deliveries.model import Delivery
from crm_notify.deliveries.rules import Channel, Status
from crm_notify.explaining import queries
from crm_notify.explaining.commands import send_sample
from crm_notify.explaining.queries import About
from crm_notify.explaining.rules import (
    Found,
    Outcome,
    Sending,
    Sight,
    outcome_in_app,
    outcome_of,
    outcome_without_row,
    remarks_on_nothing,
)
from crm_notify.explaining.texts import receivers_of, texts
from crm_notify.explaining.views import (
    ChannelOutcome,
    ChannelPreference,
    ExplainedMember,
    ExplainedNotification,
    Explanation,
    ExplanationQuery,
    Kinds,
    KindView,
    SampleBody,
)
from crm_notify.notifications.http import views_of
from crm_notify.notifications.model import Notification
from crm_notify.notifications.rules import CATEGORY_OF, Kind
from crm_notify.notifications.texts import name_of_category, name_of_kind
from crm_notify.preferences.queries import defaults_of
from crm_notify.preferences.rules import MODES, Cell, Choices, Mode, cell
from crm_notify.telling.events import mail_domain
from crm_notify.telling.rules import HEARD_IN_PLACE
from directory.permissions import Permission
from directory.scope import zone_of

api = Api("notifications")
_SAMPLES_BUDGET = "20/hour"


@api.route(
    "GET",
    "/notifications/explanation",
    access=Access.MEMBER,
    summary="Explain why a member was told of something, or not",
    query=ExplanationQuery,
    reply=Explanation,
)
def explain(call: Call[None, ExplanationQuery]) -> Explanation:
    """Oneself, or with the right audit.read anybody. The latest 20 notifications of the kind, each with what became of it;
    who is told of it by rule; and what the member's preferences are now.
    """
    query, actor = call.query, call.actor
    member_id = query.member_id or actor.id
    if member_id != actor.id and not actor.may(Permission.AUDIT_READ):
        raise Forbidden("forbidden", permission=Permission.AUDIT_READ)
    if query.from_ and query.to and query.from_ > query.to:
        raise invalid(FieldError("/to", "before_from"))
    with call.runtime.database.reading() as session:
        about = queries.about(session, member_id)
        if about is None:
            raise NotFound("not_found")
        since, until = span(query.from_, query.to, zone_of(session))
        rows = queries.told(session, member_id, query.kind, query.subject_id, since, until)
        explained = _explained(call, session, rows, about)
    return Explanation(
        member=ExplainedMember(id=about.id, name=about.name, active=about.active, has_address=about.has_address),
        kind=query.kind,
        label=name_of_kind(query.kind, call.language),
        receivers=receivers_of(query.kind, call.language),
        notifications=explained,
        preferences=_preferences(query.kind, about, call.language),
        mail_configured=mail_domain(call.runtime) is not None,
        remarks=list(_remarks(call, query.kind, about, found=bool(rows))),
    )


@api.route(
    "GET",
    "/notifications/kinds",
    access=Access.MEMBER,
    summary="List what can be told, to whom, over which channels",
    reply=Kinds,
)
def list_kinds(call: Call[None, None]) -> Kinds:
    """The channels are the installation's defaults: what holds for whoever chose nothing."""
    with call.runtime.database.reading() as session:
        defaults = defaults_of(session)
    return Kinds(
        items=[
            KindView(
                kind=kind,
                label=name_of_kind(kind, call.language),
                category=category,
                category_label=name_of_category(category, call.language),
                receivers=receivers_of(kind, call.language),
                channels={channel: cell(kind, channel, defaults, Choices()).mode for channel in map(Channel, MODES)},
            )
            for kind, category in CATEGORY_OF.items()
        ]
    )


@api.route(
    "POST",
    "/notifications:sample",
    access=Access.MEMBER,
    summary="Send oneself a sample notification",
    body=SampleBody,
    reply=ExplainedNotification,
    idempotent=True,
)
def sample_notification(call: Call[SampleBody, None]) -> ExplainedNotification:
    """As one's preferences have it, marked as a sample; 20 an hour. Answers what becomes of it on each channel."""
    body, actor = call.body, call.actor
    call.runtime.limiter.spend(_SAMPLES_BUDGET, "notification-sample", str(actor.id))
    domain, now = mail_domain(call.runtime), clock.now()

    def send(session: Session) -> ExplainedNotification:
        row = send_sample(session, actor.id, body.kind, body.language or call.language, domain, now)
        about = queries.about(session, actor.id)
        assert about is not None, "an actor is a member"
        return _explained(call, session, [row], about)[0]

    return call.command(send)


def _explained(
    call: Call[Any, Any], session: Session, rows: Sequence[Notification], about: About
) -> list[ExplainedNotification]:
    zone, ledger = ZoneInfo(zone_of(session)), queries.ledger_of(session, rows)
    views = views_of(session, rows, call.language)
    return [
        ExplainedNotification(
            notification=view, channels=list(_channels(call, row, ledger.get(row.id, ()), about, zone))
        )
        for row, view in zip(rows, views, strict=True)
    ]


def _channels(
    call: Call[Any, Any], row: Notification, deliveries: Sequence[Delivery], about: About, zone: ZoneInfo
) -> Iterator[ChannelOutcome]:
    withheld = next((delivery for delivery in deliveries if delivery.channel == Channel.IN_APP), None)
    sight = Sight(row.in_app, withheld is not None, row.created_at, row.read_at, row.snoozed_until, row.dismissed_at)
    yield _outcome(call, Channel.IN_APP, outcome_in_app(sight), withheld, zone)
    now, sent = clock.now(), [delivery for delivery in deliveries if delivery is not withheld]
    for delivery in sent:
        yield _outcome(call, delivery.channel, outcome_of(_sending(delivery), now), delivery, zone)
    used = {delivery.channel for delivery in sent}
    for channel in map(Channel, MODES):
        if channel not in used and channel is not Channel.IN_APP:
            holds = cell(Kind(row.kind), channel, about.defaults, about.own)
            yield _outcome(call, channel, (outcome_without_row(holds.mode), None), None, zone, holds)


def _sending(row: Delivery) -> Sending:
    return Sending(
        status=Status(row.status),
        digest=row.digest_id is not None,
        failed_before=row.last_error_code is not None,
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at,
        sent_at=row.sent_at,
    )


def _outcome(
    call: Call[Any, Any],
    channel: str,
    found: Found,
    row: Delivery | None,
    zone: ZoneInfo,
    holds: Cell | None = None,
) -> ChannelOutcome:
    outcome, at = found
    words = texts(call.language)
    why = reason_of(row, call.runtime.messages, call.language) if row else None
    text = words["outcomes"][outcome].format(
        at=_written(at, zone),
        why=why or "",
        attempts=row.attempts if row else 0,
        source=words["sources"][holds.source] if holds else "",
    )
    return ChannelOutcome(
        channel=channel,
        outcome=outcome,
        at=at,
        reason_code=row.last_error_code if row else None,
        delivery_id=row.id if row and outcome is not Outcome.NOT_SHOWN_BECAUSE else None,
        text=text,
    )


def _written(at: datetime | None, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M") if at else ""


def _preferences(kind: Kind, about: About, language: str) -> list[ChannelPreference]:
    words = texts(language)
    cells = {channel: cell(kind, channel, about.defaults, about.own) for channel in map(Channel, MODES)}
    return [
        ChannelPreference(
            channel=channel,
            mode=holds.mode,
            source=holds.source,
            locked=holds.locked,
            text=f"{words['channels'][channel]}: {words['modes'][holds.mode]} ({words['sources'][holds.source]})",
        )
        for channel, holds in cells.items()
    ]


def _remarks(call: Call[Any, Any], kind: Kind, about: About, *, found: bool) -> Iterator[str]:
    words: Mapping[str, str] = texts(call.language)["remarks"]
    if not found:
        names = remarks_on_nothing(
            active=about.active, heard_in_place=kind in HEARD_IN_PLACE, has_manager=about.manager is not None
        )
        for name in names:
            yield words[name].format(receivers=receivers_of(kind, call.language), manager=about.manager)
    if all(cell(kind, channel, about.defaults, about.own).mode is Mode.OFF for channel in map(Channel, MODES)):
        yield words["all_off"]
    if mail_domain(call.runtime) is None:
        yield words["mail_off"]
    elif not about.has_address:
        yield words["no_address"]
