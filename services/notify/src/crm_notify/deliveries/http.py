"""REST of the delivery ledger."""

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.days import span
from chassis.errors import FieldError, Forbidden, invalid
from chassis.http.api import Access, Api, Page
from chassis.http.call import Call
from chassis.wording import Messages
from crm_notify.deliveries import queries
from crm_notify.deliveries.model import Delivery
from crm_notify.deliveries.views import DeliveryQuery, DeliveryView, reason_of
from crm_notify.notifications.queries import names_of
from crm_notify.paging import page_of
from directory.permissions import Permission
from directory.scope import zone_of

api = Api("deliveries")


@api.route(
    "GET",
    "/deliveries",
    access=Access.MEMBER,
    summary="List deliveries, newest first",
    query=DeliveryQuery,
    reply=Page[DeliveryView],
)
def list_deliveries(call: Call[None, DeliveryQuery]) -> Page[DeliveryView]:
    """One's own, and those of a mailing of one's own; with the right audit.read everybody's. What is shown in the app has
    no row here. A total above 1,000 is an estimate.
    """
    query, actor = call.query, call.actor
    own = not actor.may(Permission.AUDIT_READ)
    if own and query.member_id not in (None, actor.id):
        raise Forbidden("forbidden", permission=Permission.AUDIT_READ)
    if query.from_ and query.to and query.from_ > query.to:
        raise invalid(FieldError("/to", "before_from"))
    with call.runtime.database.reading() as session:
        since, until = span(query.from_, query.to, zone_of(session))
        wanted = queries.Wanted(
            own_to=actor.id if own else None,
            status=query.status,
            channel=query.channel,
            member_id=query.member_id,
            kind=query.kind,
            notification_id=query.notification_id,
            mailing_id=query.mailing_id,
            since=since,
            until=until,
        )
        rows, total = queries.deliveries(session, wanted, query)
        show = partial(views_of, session, messages=call.runtime.messages, language=call.language)
        return page_of(rows, query, total, show, _place)


def views_of(session: Session, rows: Sequence[Delivery], messages: Messages, language: str) -> list[DeliveryView]:
    """The deliveries with the names of their members and what they are of."""
    about = queries.about(session, rows)
    names = names_of(session, {row.member_id for row in rows if row.member_id})
    return [
        DeliveryView.of(
            row,
            kind=about.kinds.get(row.notification_id) if row.notification_id else None,
            mailing_id=about.mailings.get(row.recipient_id) if row.recipient_id else None,
            name=names.get(row.member_id, "") if row.member_id else "",
            last_error=reason_of(row.last_error_code, messages, language),
        )
        for row in rows
    ]


def _place(row: Delivery) -> tuple[UUID]:
    return (row.id,)
