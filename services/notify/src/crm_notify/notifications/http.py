"""REST of one's own notifications (J-14, K-14). Every route is strictly about the caller's own."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from chassis import clock
from chassis.errors import FieldError, invalid
from chassis.http.api import Access, Api, Page
from chassis.http.call import Call
from crm_notify.notifications import commands, queries
from crm_notify.notifications.model import Notification
from crm_notify.notifications.rules import KINDS_OF, Kind, may_be_snoozed
from crm_notify.notifications.texts import named_members
from crm_notify.notifications.views import (
    Dismissed,
    IdsBody,
    NotificationQuery,
    NotificationView,
    ReadAllBody,
    SnoozeBody,
    UnreadCount,
)
from crm_notify.paging import page_of

api = Api("notifications")


@api.route(
    "GET",
    "/notifications",
    access=Access.MEMBER,
    summary="List one's own notifications, the latest event first",
    query=NotificationQuery,
    reply=Page[NotificationView],
)
def list_notifications(call: Call[None, NotificationQuery]) -> Page[NotificationView]:
    """What happened earlier and was told late stands where it belongs. A total above 1,000 is an estimate."""
    query = call.query
    wanted = queries.Wanted(
        unread=query.unread,
        kinds=_kinds(query),
        subject_id=query.subject_id,
        snoozed=query.snoozed,
        dismissed=query.dismissed,
    )
    with call.runtime.database.reading() as session:
        rows, total = queries.own_notifications(session, call.actor.id, wanted, query)
        return page_of(rows, query, total, partial(views_of, session, language=call.language), _place)


def _kinds(query: NotificationQuery) -> Collection[Kind] | None:
    of_category = None if query.category is None else set(KINDS_OF[query.category])
    if query.kind is None:
        return of_category
    return {query.kind} if of_category is None else {query.kind} & of_category


@api.route(
    "GET",
    "/notifications/unread-count",
    access=Access.MEMBER,
    summary="Count one's own unread notifications",
    reply=UnreadCount,
)
def count_unread(call: Call[None, None]) -> UnreadCount:
    """The number on the bell, and on each category."""
    with call.runtime.database.reading() as session:
        return _unread(session, call.actor.id)


@api.route(
    "POST",
    "/notifications/<uuid:notification_id>:read",
    access=Access.MEMBER,
    summary="Mark one notification as read",
    reply=NotificationView,
)
def read_notification(call: Call[None, None], notification_id: UUID) -> NotificationView:
    """Repeating it changes nothing, the first time of reading included."""
    return _changed(call, lambda session: commands.mark_read(session, call.actor.id, notification_id, clock.now()))


@api.route(
    "POST",
    "/notifications/<uuid:notification_id>:unread",
    access=Access.MEMBER,
    summary="Mark one notification as unread",
    reply=NotificationView,
)
def unread_notification(call: Call[None, None], notification_id: UUID) -> NotificationView:
    """Repeating it changes nothing."""
    return _changed(call, lambda session: commands.mark_unread(session, call.actor.id, notification_id))


@api.route(
    "POST",
    "/notifications/<uuid:notification_id>:snooze",
    access=Access.MEMBER,
    summary="Put one notification out of sight until a moment",
    body=SnoozeBody,
    reply=NotificationView,
)
def snooze_notification(call: Call[SnoozeBody, None], notification_id: UUID) -> NotificationView:
    """Then it is shown again, unread, and hinted at; until then it is not counted."""
    until, actor_id = call.body.until, call.actor.id
    if not may_be_snoozed(until, clock.now()):
        raise invalid(FieldError("/until", "snooze_out_of_range"))
    return _changed(call, lambda session: commands.snooze(session, actor_id, notification_id, until))


@api.route(
    "POST",
    "/notifications/<uuid:notification_id>:dismiss",
    access=Access.MEMBER,
    summary="Put one notification out of sight for good",
    reply=NotificationView,
)
def dismiss_notification(call: Call[None, None], notification_id: UUID) -> NotificationView:
    """Listed with `dismissed=true` from then on. Repeating it changes nothing."""
    return _changed(call, lambda session: commands.dismiss_one(session, call.actor.id, notification_id, clock.now()))


@api.route(
    "POST",
    "/notifications/<uuid:notification_id>:restore",
    access=Access.MEMBER,
    summary="Bring back a notification that was dismissed or snoozed",
    reply=NotificationView,
)
def restore_notification(call: Call[None, None], notification_id: UUID) -> NotificationView:
    """As read as it was. Repeating it changes nothing."""
    return _changed(call, lambda session: commands.restore(session, call.actor.id, notification_id))


@api.route(
    "POST",
    "/notifications:dismiss",
    access=Access.MEMBER,
    summary="Put several notifications out of sight for good",
    body=IdsBody,
    reply=Dismissed,
)
def dismiss_notifications(call: Call[IdsBody, None]) -> Dismissed:
    """Repeating it changes nothing."""
    ids = list(dict.fromkeys(call.body.ids))

    def dismiss(session: Session) -> Dismissed:
        done = commands.dismiss(session, call.actor.id, ids, clock.now())
        return Dismissed(
            dismissed=[id_ for id_ in ids if id_ in done], not_found=[id_ for id_ in ids if id_ not in done]
        )

    return call.command(dismiss)


@api.route(
    "POST",
    "/notifications:read-all",
    access=Access.MEMBER,
    summary="Mark all one's own notifications, or those of a category, as read",
    body=ReadAllBody,
    reply=UnreadCount,
)
def read_all_notifications(call: Call[ReadAllBody, None]) -> UnreadCount:
    """Repeating it changes nothing. Answers how many are unread now."""
    category = call.body.category

    def read(session: Session) -> UnreadCount:
        commands.mark_all_read(session, call.actor.id, KINDS_OF[category] if category else None, clock.now())
        return _unread(session, call.actor.id)

    return call.command(read)


def views_of(session: Session, rows: Sequence[Notification], language: str) -> list[NotificationView]:
    """The notifications in words, with the names of the members they speak of."""
    ids: set[Any] = set().union(*(named_members(row.parameters) for row in rows))
    names = queries.names_of(session, ids)
    return [NotificationView.of(row, names, language) for row in rows]


def _place(row: Notification) -> tuple[datetime, UUID]:
    return row.occurred_at, row.id


def _changed(call: Call[Any, Any], change: Callable[[Session], Notification]) -> NotificationView:
    return call.command(lambda session: views_of(session, [change(session)], call.language)[0])


def _unread(session: Session, member_id: UUID) -> UnreadCount:
    unread, by_category = queries.unread_by_category(session, member_id)
    return UnreadCount(unread=unread, by_category=dict(by_category))
