"""REST of activities."""

from uuid import UUID

from sqlalchemy.orm import Session

from chassis.clock import day_of, now
from chassis.http.api import Api, Page
from chassis.http.call import Call
from crm_customer.activities.commands import FollowUp, log_follow_up
from crm_customer.activities.queries import activities_of, activity_view
from crm_customer.activities.views import ActivityQuery, ActivityView, NewActivity
from crm_customer.customers.queries import visible_customer
from crm_customer.customers.sight import sight_of
from directory.permissions import Permission
from directory.scope import zone_of

api = Api("activities")


@api.route(
    "POST",
    "/activities",
    access=Permission.CUSTOMER_UPDATE,
    summary="Log a follow-up",
    body=NewActivity,
    reply=ActivityView,
    status=201,
    idempotent=True,
)
def log_activity(call: Call[NewActivity, None]) -> ActivityView:
    """写跟进 (F-01). In a pool, sales claim first (F-15). By the owner or a collaborator it is a touch: the customer's
    last_touch_at and, with it, its expiry move (F-16).
    """

    def work(session: Session) -> ActivityView:
        body, sight = call.body, sight_of(session, call.actor.id)
        customer = visible_customer(session, sight, body.customer_id, lock=True)
        written, moment = FollowUp(body.method, body.content, body.next_contact_on), now()
        activity = log_follow_up(session, sight, customer, written, moment, day_of(moment, zone_of(session)))
        session.flush()
        return activity_view(session, sight, activity.id)

    return call.command(work)


@api.route(
    "GET",
    "/activities",
    access=Permission.CUSTOMER_READ,
    summary="List what was done with a customer",
    query=ActivityQuery,
    reply=Page[ActivityView],
)
def list_activities(call: Call[None, ActivityQuery]) -> Page[ActivityView]:
    """Newest first, whoever owned the customer then (F-14)."""
    query = call.query
    with call.runtime.database.reading() as session:
        sight = sight_of(session, call.actor.id)
        items, total = activities_of(session, sight, query.customer_id, query.page, query.page_size)
    return Page(items=items, page=query.page, page_size=query.page_size, total=total)


@api.route(
    "GET",
    "/activities/<uuid:activity_id>",
    access=Permission.CUSTOMER_READ,
    summary="Read an activity",
    reply=ActivityView,
)
def read_activity(call: Call[None, None], activity_id: UUID) -> ActivityView:
    """Of a customer that the caller sees; else 404."""
    with call.runtime.database.reading() as session:
        return activity_view(session, sight_of(session, call.actor.id), activity_id)
