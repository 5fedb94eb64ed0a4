"""REST of activities."""

from uuid import UUID

from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.days import day_of, span
from chassis.errors import FieldError, invalid
from chassis.http.api import Api, Page
from chassis.http.call import Call
from crm_customer.activities import commands
from crm_customer.activities.queries import (
    ActivityConditions,
    activity_view,
    authors_seen,
    locked_activity,
    page_of,
    total,
)
from crm_customer.activities.rules import METHODS
from crm_customer.activities.views import ActivityChanges, ActivityQuery, ActivityView, NewActivity
from crm_customer.counting import Total
from crm_customer.customers.queries import visible_customer
from crm_customer.customers.sight import Sight, sight_of
from crm_customer.dictionaries.queries import load_options
from crm_customer.paging import Cursor, read_position
from directory.permissions import Permission

api = Api("activities")
_ORDER = "activities"


@api.route(
    "POST",
    "/activities",
    access=Permission.CUSTOMER_UPDATE,
    summary="Write a follow-up, log or remark",
    body=NewActivity,
    reply=ActivityView,
    status=201,
    idempotent=True,
    versioned=True,
)
def log_activity(call: Call[NewActivity, None]) -> ActivityView:
    """写跟进 (F-01), 沟通日志 (F-05), 备注. In a pool, sales claim first (F-15). A follow-up by the owner or a
    collaborator is a touch: the customer's last_touch_at and, with it, its expiry move (F-16).
    """

    def work(session: Session) -> ActivityView:
        body, sight, moment = call.body, sight_of(session, call.actor.id), now()
        customer = visible_customer(session, sight, body.customer_id, lock=True)
        written = body.model_dump(exclude={"customer_id", "kind"})
        today = day_of(moment, sight.scope.zone)
        activity = commands.write_activity(session, sight, customer, body.kind, written, moment, today)
        return activity_view(session, sight, activity.id)

    return call.command(work)


@api.route(
    "GET",
    "/activities",
    access=Permission.CUSTOMER_READ,
    summary="List what was done with customers",
    query=ActivityQuery,
    reply=Page[ActivityView],
)
def list_activities(call: Call[None, ActivityQuery]) -> Page[ActivityView]:
    """Newest first: of one customer, whoever owned it then, or what the caller, colleagues and members of the departments
    that the caller sees did with any customer that the caller sees (F-09, F-14).
    """
    query = call.query
    with call.runtime.database.reading() as session:
        sight = sight_of(session, call.actor.id)
        wanted, number = _wanted(session, sight, query)
        offset = 0 if query.cursor else (query.page - 1) * query.page_size
        found = page_of(session, sight, wanted, offset, query.page_size + 1)
    items, more = found[: query.page_size], len(found) > query.page_size
    after = Cursor(_ORDER, items[-1].at, items[-1].id, number + 1) if more else None
    ends_here = not query.cursor and not more and (items or number == 1)
    count = Total(offset + len(items)) if ends_here else total(call.runtime.database, sight, wanted)
    return Page(
        items=items,
        page=number,
        page_size=query.page_size,
        total=count.rows,
        total_is_estimate=count.estimated,
        next_cursor=after.written() if after else None,
    )


@api.route(
    "GET",
    "/activities/<uuid:activity_id>",
    access=Permission.CUSTOMER_READ,
    summary="Read an activity",
    reply=ActivityView,
    versioned=True,
)
def read_activity(call: Call[None, None], activity_id: UUID) -> ActivityView:
    """Of a customer that the caller sees; else 404."""
    with call.runtime.database.reading() as session:
        return activity_view(session, sight_of(session, call.actor.id), activity_id)


@api.route(
    "PATCH",
    "/activities/<uuid:activity_id>",
    access=Permission.CUSTOMER_UPDATE,
    summary="Edit an activity",
    body=ActivityChanges,
    reply=ActivityView,
    versioned=True,
)
def change_activity(call: Call[ActivityChanges, None], activity_id: UUID) -> ActivityView:
    """Its author alone words it otherwise (F-06); no clock moves. In a pool, sales claim first."""
    expected, moment = call.expected_version(), now()
    changes = call.body.model_dump(exclude_unset=True)
    with call.runtime.database.transaction() as session:
        sight = sight_of(session, call.actor.id)
        customer, activity = locked_activity(session, sight, activity_id)
        today = day_of(moment, sight.scope.zone)
        commands.change_activity(session, sight, customer, activity, expected, changes, moment, today)
        return activity_view(session, sight, activity_id)


@api.route(
    "DELETE",
    "/activities/<uuid:activity_id>",
    access=Permission.CUSTOMER_UPDATE,
    summary="Delete an activity",
    status=204,
    versioned=True,
)
def remove_activity(call: Call[None, None], activity_id: UUID) -> None:
    """Soft, with its files (F-06, F-13), for its author and whoever deletes customers of the owner's department; no clock
    moves.
    """
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        sight = sight_of(session, call.actor.id)
        commands.delete_activity(session, sight, *locked_activity(session, sight, activity_id), expected, now())


def _wanted(session: Session, sight: Sight, query: ActivityQuery) -> tuple[ActivityConditions, int]:
    """What is asked for, and which page it is. Raises NotFound, Invalid."""
    member_id = sight.scope.member_id if query.mine else query.member_id
    if query.customer_id is None:
        authors = authors_seen(session, sight, member_id)
    else:
        visible_customer(session, sight, query.customer_id)
        authors = (member_id,) if member_id else None
    since, until = span(query.from_, query.to, sight.scope.zone)
    cursor = read_position(query.cursor, _ORDER) if query.cursor else None
    wanted = ActivityConditions(
        customer_id=query.customer_id,
        author_ids=authors,
        kind=query.kind,
        method=_method(session, query.method),
        since=since,
        until=until,
        after=(cursor.at, cursor.id) if cursor else None,
    )
    return wanted, cursor.page if cursor else query.page


def _method(session: Session, method: str | None) -> str | None:
    if not method:
        return None
    key = load_options(session).find(METHODS, method)
    if key is None:
        raise invalid(FieldError("/method", "unknown_option", {"value": method}))
    return key
