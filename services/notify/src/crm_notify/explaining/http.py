"""REST of explanations: why was I told, or not (K-12, design §2.7)."""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from chassis import clock
from chassis.days import span
from chassis.errors import FieldError, Forbidden, NotFound, invalid
from chassis.http.api import Access, Api
from chassis.http.call import Call
from crm_notify.deliveries.rules import Channel
from crm_notify.explaining import queries
from crm_notify.explaining.answers import Asked, outcomes, preferences, remarks
from crm_notify.explaining.commands import send_sample
from crm_notify.explaining.queries import About
from crm_notify.explaining.texts import receivers_of
from crm_notify.explaining.views import (
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
from crm_notify.notifications.rules import CATEGORY_OF
from crm_notify.notifications.texts import name_of_category, name_of_kind
from crm_notify.preferences.queries import defaults_of
from crm_notify.preferences.rules import MODES, Choices, cell
from crm_notify.telling.events import mail_domain
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
        asked = _asked(call, session)
        explained = _explained(session, asked, rows, about)
    mail_configured = mail_domain(call.runtime) is not None
    return Explanation(
        member=ExplainedMember(id=about.id, name=about.name, active=about.active, has_address=about.has_address),
        kind=query.kind,
        label=name_of_kind(query.kind, call.language),
        receivers=receivers_of(query.kind, call.language),
        notifications=explained,
        preferences=preferences(asked, query.kind, about),
        mail_configured=mail_configured,
        remarks=list(remarks(asked, query.kind, about, found=bool(rows), mail_configured=mail_configured)),
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
        return _explained(session, _asked(call, session), [row], about)[0]

    return call.command(send)


def _explained(
    session: Session, asked: Asked, rows: Sequence[Notification], about: About
) -> list[ExplainedNotification]:
    ledger = queries.ledger_of(session, rows)
    views = views_of(session, rows, asked.language)
    return [
        ExplainedNotification(notification=view, channels=list(outcomes(asked, row, ledger.get(row.id, ()), about)))
        for row, view in zip(rows, views, strict=True)
    ]


def _asked(call: Call[Any, Any], session: Session) -> Asked:
    return Asked(call.language, call.runtime.messages, ZoneInfo(zone_of(session)), clock.now())
