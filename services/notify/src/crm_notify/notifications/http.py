"""REST of one's own notifications (J-14). Every route is strictly about the caller's own."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from chassis import clock
from chassis.http.api import Access, Api, Page
from chassis.http.call import Call
from crm_notify.notifications import commands, queries
from crm_notify.notifications.model import Notification
from crm_notify.notifications.texts import named_members
from crm_notify.notifications.views import NotificationQuery, NotificationView, UnreadCount

api = Api("notifications")


@api.route(
    "GET",
    "/notifications",
    access=Access.MEMBER,
    summary="List one's own notifications, newest first",
    query=NotificationQuery,
    reply=Page[NotificationView],
)
def list_notifications(call: Call[None, NotificationQuery]) -> Page[NotificationView]:
    """`unread=true` keeps unread ones, `unread=false` read ones."""
    query = call.query
    with call.runtime.database.reading() as session:
        rows, total = queries.own_notifications(session, call.actor.id, query.unread, query.page, query.page_size)
        items = _views(session, rows, call.language)
    return Page[NotificationView](items=items, page=query.page, page_size=query.page_size, total=total)


@api.route(
    "GET",
    "/notifications/unread-count",
    access=Access.MEMBER,
    summary="Count one's own unread notifications",
    reply=UnreadCount,
)
def count_unread(call: Call[None, None]) -> UnreadCount:
    """The number on the bell."""
    with call.runtime.database.reading() as session:
        return UnreadCount(unread=queries.unread_count(session, call.actor.id))


@api.route(
    "POST",
    "/notifications/<uuid:notification_id>:read",
    access=Access.MEMBER,
    summary="Mark one notification as read",
    reply=NotificationView,
)
def read_notification(call: Call[None, None], notification_id: UUID) -> NotificationView:
    """Repeating it changes nothing, the first time of reading included."""

    def read(session: Session) -> NotificationView:
        row = commands.mark_read(session, call.actor.id, notification_id, clock.now())
        return _views(session, [row], call.language)[0]

    return call.command(read)


@api.route(
    "POST",
    "/notifications:read-all",
    access=Access.MEMBER,
    summary="Mark all one's own notifications as read",
    reply=UnreadCount,
)
def read_all_notifications(call: Call[None, None]) -> UnreadCount:
    """Repeating it changes nothing. Answers how many are unread now."""

    def read(session: Session) -> UnreadCount:
        commands.mark_all_read(session, call.actor.id, clock.now())
        return UnreadCount(unread=queries.unread_count(session, call.actor.id))

    return call.command(read)


def _views(session: Session, rows: Sequence[Notification], language: str) -> list[NotificationView]:
    ids: set[Any] = set().union(*(named_members(row.parameters) for row in rows))
    names = queries.names_of(session, ids)
    return [NotificationView.of(row, names, language) for row in rows]
