"""REST of collisions."""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.http.api import Api, Page
from chassis.http.call import Call
from crm_customer.collisions import commands
from crm_customer.collisions.queries import collision_detail, listed, readable
from crm_customer.collisions.views import CollisionDetail, CollisionQuery, CollisionView, Decision, NewCollision
from crm_customer.customers.sight import sight_of
from directory.permissions import Permission

api = Api("collisions")
_ACT: dict[str, Any] = {
    "access": Permission.CUSTOMER_READ,
    "reply": CollisionDetail,
    "idempotent": True,
    "versioned": True,
}


@api.route(
    "POST",
    "/duplicates/collisions",
    summary="Ask for a part in a customer that is another's",
    body=NewCollision,
    status=201,
    **_ACT,
)
def open_collision(call: Call[NewCollision, None]) -> CollisionDetail:
    """撞单: to work on it too, which its owner decides, or to have it, which a manager of the owner decides. Also of a
    customer out of sight, as a check has told it.
    """

    def work(session: Session) -> CollisionDetail:
        sight, body, moment = sight_of(session, call.actor.id), call.body, now()
        given = (body.kind, body.customer_id, body.own_customer_id, body.reason)
        return collision_detail(session, sight, commands.open_collision(session, sight, *given, moment), moment)

    return call.command(work)


@api.route(
    "GET",
    "/duplicates/collisions",
    access=Permission.CUSTOMER_READ,
    summary="List collisions",
    query=CollisionQuery,
    reply=Page[CollisionView],
)
def list_collisions(call: Call[None, CollisionQuery]) -> Page[CollisionView]:
    """Those that the caller opened, may decide, or decided; newest first."""
    query = call.query
    with call.runtime.database.reading() as session:
        items, total = listed(session, sight_of(session, call.actor.id), query)
    return Page(items=items, page=query.page, page_size=query.page_size, total=total)


@api.route(
    "GET",
    "/duplicates/collisions/<uuid:collision_id>",
    access=Permission.CUSTOMER_READ,
    summary="Read a collision",
    reply=CollisionDetail,
    versioned=True,
)
def read_collision(call: Call[None, None], collision_id: UUID) -> CollisionDetail:
    """Whoever decides sees both sides beside each other."""
    with call.runtime.database.reading() as session:
        sight = sight_of(session, call.actor.id)
        return collision_detail(session, sight, readable(session, sight, collision_id), now())


@api.route(
    "POST",
    "/duplicates/collisions/<uuid:collision_id>:decide",
    summary="Decide a collision",
    body=Decision,
    **_ACT,
)
def decide_collision(call: Call[Decision, None], collision_id: UUID) -> CollisionDetail:
    """keep, collaborate; of a dispute also give, or merge."""

    def work(session: Session) -> CollisionDetail:
        sight, body, moment = sight_of(session, call.actor.id), call.body, now()
        decided = commands.decide_collision(session, sight, collision_id, body.outcome, body.note, moment)
        return collision_detail(session, sight, decided, moment)

    return call.command(work)


@api.route("POST", "/duplicates/collisions/<uuid:collision_id>:withdraw", summary="Withdraw a collision", **_ACT)
def withdraw_collision(call: Call[None, None], collision_id: UUID) -> CollisionDetail:
    """By whoever opened it, while it waits."""

    def work(session: Session) -> CollisionDetail:
        sight, moment = sight_of(session, call.actor.id), now()
        withdrawn = commands.withdraw_collision(session, sight, collision_id, moment)
        return collision_detail(session, sight, withdrawn, moment)

    return call.command(work)
