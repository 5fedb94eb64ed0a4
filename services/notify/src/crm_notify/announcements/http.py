"""REST of announcements (公告)."""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from chassis import clock
from chassis.http.api import Access, Api, Page, PageQuery
from chassis.http.call import Call
from crm_notify.announcements import commands, queries
from crm_notify.announcements.model import Announcement
from crm_notify.announcements.views import AnnouncementView, Audience, AudienceCount, NewAnnouncement
from crm_notify.notifications.queries import names_of
from directory.permissions import Permission

api = Api("announcements")


@api.route(
    "POST",
    "/announcements",
    access=Permission.NOTIFY_ANNOUNCE,
    summary="Announce something to everybody or some",
    body=NewAnnouncement,
    reply=AnnouncementView,
    status=201,
    idempotent=True,
)
def publish_announcement(call: Call[NewAnnouncement, None]) -> AnnouncementView:
    """Members are told in the background, each once; whoever announces is not told."""
    body = call.body

    def publish(session: Session) -> AnnouncementView:
        made = commands.publish(session, call.actor.id, body.title, body.text, body.audience.lists())
        return _whole(session, made)

    return call.command(publish)


@api.route(
    "POST",
    "/announcements:count",
    access=Permission.NOTIFY_ANNOUNCE,
    summary="Count whom an announcement would be told",
    body=Audience,
    reply=AudienceCount,
)
def count_audience(call: Call[Audience, None]) -> AudienceCount:
    """Ids that the directory does not have count for nobody."""
    with call.runtime.database.reading() as session:
        return AudienceCount(receivers=queries.count(session, call.body.lists(), call.actor.id))


@api.route(
    "GET",
    "/announcements",
    access=Access.MEMBER,
    summary="List announcements, newest first",
    query=PageQuery,
    reply=Page[AnnouncementView],
)
def list_announcements(call: Call[None, PageQuery]) -> Page[AnnouncementView]:
    """Those that one was told and that were not withdrawn; with the right notify.announce all."""
    query, all_ = call.query, _sees_all(call)
    with call.runtime.database.reading() as session:
        rows, total = queries.announcements(session, call.actor.id, query.page, query.page_size, all_=all_)
        names = names_of(session, {row.created_by for row, _ in rows})
    items = [AnnouncementView.of(row, names, read_at=read_at, with_audience=all_) for row, read_at in rows]
    return Page[AnnouncementView](items=items, page=query.page, page_size=query.page_size, total=total)


@api.route(
    "GET",
    "/announcements/<uuid:announcement_id>",
    access=Access.MEMBER,
    summary="One announcement, with how far it has come for those who may announce",
    reply=AnnouncementView,
)
def show_announcement(call: Call[None, None], announcement_id: UUID) -> AnnouncementView:
    all_ = _sees_all(call)
    with call.runtime.database.reading() as session:
        row, read_at = queries.announcement_of(session, announcement_id, call.actor.id, all_=all_)
        if all_:
            return _whole(session, row).model_copy(update={"read_at": read_at})
        return AnnouncementView.of(row, names_of(session, {row.created_by}), read_at=read_at)


@api.route(
    "POST",
    "/announcements/<uuid:announcement_id>:withdraw",
    access=Permission.NOTIFY_ANNOUNCE,
    summary="Take an announcement back",
    reply=AnnouncementView,
)
def withdraw_announcement(call: Call[None, None], announcement_id: UUID) -> AnnouncementView:
    """It leaves the inboxes and the queue in the background; what went out by e-mail stays out. Repeating changes nothing."""

    def take_back(session: Session) -> AnnouncementView:
        found = commands.withdraw_announcement(session, call.actor.id, announcement_id, clock.now())
        return _whole(session, found)

    return call.command(take_back)


def _sees_all(call: Call[Any, Any]) -> bool:
    return call.actor.may(Permission.NOTIFY_ANNOUNCE)


def _whole(session: Session, row: Announcement) -> AnnouncementView:
    names = names_of(session, {row.created_by})
    return AnnouncementView.of(row, names, with_audience=True, progress=queries.progress(session, row))
