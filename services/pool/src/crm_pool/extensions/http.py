"""REST of extensions (延期): owners ask for more time, whoever could give the customer away decides."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from chassis import clock
from chassis.database import after_commit
from chassis.http.api import Api, Page
from chassis.http.call import Call
from crm_pool.assignments.clients import tell_customer
from crm_pool.assignments.http import named, named_if, names_of
from crm_pool.assignments.queries import about, sight_of
from crm_pool.customers.projection import customer_names
from crm_pool.extensions import commands, queries
from crm_pool.extensions.commands import Wish
from crm_pool.extensions.queries import Found
from crm_pool.extensions.views import ExtensionQuery, ExtensionView, Grant, NewExtension, Refusal
from directory.permissions import Permission
from directory.scope import resolve_scope

api = Api("extensions")


@api.route(
    "POST",
    "/extensions",
    access=Permission.CUSTOMER_UPDATE,
    summary="Ask for more days until one's customer expires",
    body=NewExtension,
    reply=ExtensionView,
    status=201,
    idempotent=True,
)
def request_extension(call: Call[NewExtension, None]) -> ExtensionView:
    body = call.body
    wish = Wish(body.customer_id, body.days, body.reason)

    def work(session: Session) -> ExtensionView:
        return _view(session, call.actor.id, commands.request(session, call.actor.id, wish, clock.now()))

    return call.command(work)


@api.route(
    "GET",
    "/extensions",
    access=Permission.CUSTOMER_READ,
    summary="Extensions in sight, newest first",
    query=ExtensionQuery,
    reply=Page[ExtensionView],
)
def list_extensions(call: Call[None, ExtensionQuery]) -> Page[ExtensionView]:
    asked, actor_id = call.query, call.actor.id
    with call.runtime.database.reading() as session:
        scope = resolve_scope(session, actor_id)
        found, total = queries.extensions_page(session, scope, asked.view, asked.state, asked.page, asked.page_size)
        items = _views(session, actor_id, found)
    return Page[ExtensionView](items=items, page=asked.page, page_size=asked.page_size, total=total)


@api.route(
    "GET",
    "/extensions/<uuid:extension_id>",
    access=Permission.CUSTOMER_READ,
    summary="An extension, and what was decided",
    reply=ExtensionView,
)
def read_extension(call: Call[None, None], extension_id: UUID) -> ExtensionView:
    with call.runtime.database.reading() as session:
        found = queries.extension_in_sight(session, resolve_scope(session, call.actor.id), extension_id)
        return _view(session, call.actor.id, found)


@api.route(
    "POST",
    "/extensions/<uuid:extension_id>:grant",
    access=Permission.POOL_ASSIGN,
    summary="Grant an extension, or fewer days",
    body=Grant,
    reply=ExtensionView,
    idempotent=True,
)
def grant_extension(call: Call[Grant, None], extension_id: UUID) -> ExtensionView:
    actor_id, days = call.actor.id, call.body.days

    def work(session: Session) -> ExtensionView:
        granted = commands.grant(session, actor_id, extension_id, days, clock.now())
        if granted.changes:
            after_commit(session, tell_customer(call.runtime, actor_id, granted.changes))
        return _view(session, actor_id, granted.found)

    return call.command(work)


@api.route(
    "POST",
    "/extensions/<uuid:extension_id>:refuse",
    access=Permission.POOL_ASSIGN,
    summary="Refuse an extension",
    body=Refusal,
    reply=ExtensionView,
    idempotent=True,
)
def refuse_extension(call: Call[Refusal, None], extension_id: UUID) -> ExtensionView:
    actor_id, note = call.actor.id, call.body.note

    def work(session: Session) -> ExtensionView:
        return _view(session, actor_id, commands.refuse(session, actor_id, extension_id, note, clock.now()))

    return call.command(work)


@api.route(
    "POST",
    "/extensions/<uuid:extension_id>:withdraw",
    access=Permission.CUSTOMER_UPDATE,
    summary="Take back what one asked for",
    reply=ExtensionView,
    idempotent=True,
)
def withdraw_extension(call: Call[None, None], extension_id: UUID) -> ExtensionView:
    def work(session: Session) -> ExtensionView:
        return _view(session, call.actor.id, commands.withdraw(session, call.actor.id, extension_id, clock.now()))

    return call.command(work)


def _view(session: Session, actor_id: UUID, found: Found) -> ExtensionView:
    return _views(session, actor_id, [found])[0]


def _views(session: Session, actor_id: UUID, found: Sequence[Found]) -> list[ExtensionView]:
    sight = about(session, sight_of(session, actor_id), [one.assignment for one in found])
    seen = {one.assignment.customer_id for one in found if sight.sees(one.assignment)}
    customers = customer_names(session, seen)
    people = names_of(session, {id_ for one in found for id_ in (one.extension.owner_id, one.extension.decided_by)}, ())
    return [
        ExtensionView(
            **{
                name: getattr(one.extension, name)
                for name in ("id", "customer_id", "days", "reason", "state", "requested_at", "decided_at", "note")
            },
            version=one.extension.version,
            customer_name=customers.get(one.extension.customer_id),
            owner=named(one.extension.owner_id, people),
            decided_by=named_if(one.extension.decided_by, people),
            lapsed=one.lapsed,
            expires_on=None if one.lapsed else one.assignment.expires_on,
        )
        for one in found
    ]
