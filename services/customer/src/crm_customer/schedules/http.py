"""REST of schedules, calendars and their feeds."""

from uuid import UUID

import flask
from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.errors import NotFound, invalid
from chassis.http.api import Access, Api, Page
from chassis.http.app import PREFIX
from chassis.http.call import Call
from crm_customer.customers.sight import sight_of
from crm_customer.schedules import commands
from crm_customer.schedules.feeds import CALENDAR, written
from crm_customer.schedules.queries import calendar, calendar_owner, entries_of, entry_view, feed_of, upcoming
from crm_customer.schedules.rules import wrong_period
from crm_customer.schedules.views import (
    CalendarQuery,
    CalendarView,
    EntryChange,
    EntryQuery,
    EntryView,
    FeedView,
    NewEntry,
    changed,
)
from directory.permissions import Permission

api = Api("schedules")
READ = Permission.CUSTOMER_READ


@api.route(
    "POST",
    "/schedules",
    access=READ,
    summary="Put something on one's schedule",
    body=NewEntry,
    reply=EntryView,
    status=201,
    idempotent=True,
    versioned=True,
)
def add_schedule_entry(call: Call[NewEntry, None]) -> EntryView:
    """添加日程 (F-32): one's own, with or without a customer one sees; moments, or whole days of the organisation."""

    def work(session: Session) -> EntryView:
        sight, body = sight_of(session, call.actor.id), call.body
        values = body.model_dump(exclude={"starts_at", "ends_at", "starts_on", "ends_on"})
        entry = commands.add_entry(session, sight, body.times(sight.scope.zone), values, now())
        return entry_view(session, sight, entry.id)

    return call.command(work)


@api.route("GET", "/schedules", access=READ, summary="List schedule entries", query=EntryQuery, reply=Page[EntryView])
def list_schedule_entries(call: Call[None, EntryQuery]) -> Page[EntryView]:
    """Of a customer, whoever's they are; else one's own. The latest beginning first."""
    query = call.query
    with call.runtime.database.reading() as session:
        sight = sight_of(session, call.actor.id)
        items, total = entries_of(session, sight, query.customer_id, query.page, query.page_size)
    return Page(items=items, page=query.page, page_size=query.page_size, total=total)


@api.route(
    "GET",
    "/schedules/calendar",
    access=READ,
    summary="Read a calendar",
    query=CalendarQuery,
    reply=CalendarView,
)
def read_calendar(call: Call[None, CalendarQuery]) -> CalendarView:
    """日历 (F-33): entries, next contacts that follow-ups promised, and due tasks of a day, a week or a month; of
    oneself, or of somebody in a department one sees.
    """
    query = call.query
    if errors := list(wrong_period(query.from_, query.to)):
        raise invalid(*errors)
    with call.runtime.database.reading() as session:
        sight = sight_of(session, call.actor.id)
        member_id = calendar_owner(session, sight, query.member_id or call.actor.id)
        found = calendar(session, sight, member_id, query.from_, query.to, query.kinds)
    return CalendarView(items=found[0], truncated=found[1])


@api.route("GET", "/schedules/<uuid:entry_id>", access=READ, summary="Read an entry", reply=EntryView, versioned=True)
def read_schedule_entry(call: Call[None, None], entry_id: UUID) -> EntryView:
    """One's own, or of a customer that the caller sees; else 404."""
    with call.runtime.database.reading() as session:
        return entry_view(session, sight_of(session, call.actor.id), entry_id)


@api.route(
    "PATCH",
    "/schedules/<uuid:entry_id>",
    access=READ,
    summary="Change an entry",
    body=EntryChange,
    reply=EntryView,
    versioned=True,
)
def change_schedule_entry(call: Call[EntryChange, None], entry_id: UUID) -> EntryView:
    """One's own alone."""
    expected, body = call.expected_version(), call.body
    with call.runtime.database.transaction() as session:
        sight = sight_of(session, call.actor.id)
        commands.change_entry(session, sight, entry_id, body.times(sight.scope.zone), changed(body), expected, now())
        return entry_view(session, sight, entry_id)


@api.route("DELETE", "/schedules/<uuid:entry_id>", access=READ, summary="Delete an entry", status=204, versioned=True)
def delete_schedule_entry(call: Call[None, None], entry_id: UUID) -> None:
    """One's own alone; `:restore` undoes it."""
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        commands.delete_entry(session, call.actor.id, entry_id, expected, now())


@api.route(
    "POST",
    "/schedules/<uuid:entry_id>:restore",
    access=READ,
    summary="Restore an entry",
    reply=EntryView,
    idempotent=True,
    versioned=True,
)
def restore_schedule_entry(call: Call[None, None], entry_id: UUID) -> EntryView:
    """One's own that was deleted."""

    def work(session: Session) -> EntryView:
        commands.restore_entry(session, call.actor.id, entry_id, now())
        return entry_view(session, sight_of(session, call.actor.id), entry_id)

    return call.command(work)


@api.route("GET", "/schedules/feed", access=READ, summary="Read whether there is a calendar feed", reply=FeedView)
def read_calendar_feed(call: Call[None, None]) -> FeedView:
    """Since when, and when it was last fetched; 404 without one."""
    with call.runtime.database.reading() as session:
        feed = feed_of(session, call.actor.id)
        if feed is None:
            raise NotFound("not_found")
        return FeedView.model_validate(feed)


@api.route("PUT", "/schedules/feed", access=READ, summary="Make a calendar feed", reply=FeedView)
def make_calendar_feed(call: Call[None, None]) -> FeedView:
    """The address for a calendar program, told this once; the one before is revoked."""
    with call.runtime.database.transaction() as session:
        feed, ticket = commands.make_feed(session, call.actor.id, now())
        address = f"{PREFIX}/schedules/feed/{ticket}.ics"
        return FeedView(created_at=feed.created_at, read_at=None, url=address)


@api.route("DELETE", "/schedules/feed", access=READ, summary="Revoke the calendar feed", status=204)
def revoke_calendar_feed(call: Call[None, None]) -> None:
    """Whoever has the address reads nothing any more."""
    with call.runtime.database.transaction() as session:
        commands.revoke_feed(session, call.actor.id)


@api.route(
    "GET",
    "/schedules/feed/<ticket>.ics",
    access=Access.ANYONE,
    summary="Read a calendar feed",
    produces=CALENDAR,
)
def read_feed(call: Call[None, None], ticket: str) -> flask.Response:
    """RFC 5545 (iCalendar), for whoever has the ticket: a month back, a year ahead, as its member sees it now."""
    with call.runtime.database.transaction() as session:
        at = now()
        sight = sight_of(session, commands.redeem_feed(session, ticket, at))
        items = upcoming(session, sight, at)
    return flask.Response(
        written(items, at), content_type=f"{CALENDAR}; charset=utf-8", headers={"Cache-Control": "no-store"}
    )
