"""REST of releases: bulk releases by hand, leavers' hand-overs, and their undo."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from chassis import clock
from chassis.errors import NotFound
from chassis.http.api import Access, Api, Page, PageQuery
from chassis.http.call import Call
from crm_pool.assignments.http import Names, named, named_if, names_of
from crm_pool.assignments.model import Assignment
from crm_pool.assignments.queries import Sight, about, sight_of
from crm_pool.assignments.records import HistoryEntry, Release
from crm_pool.assignments.rules import Cause
from crm_pool.customers.projection import customer_names
from crm_pool.releases import commands, queries
from crm_pool.releases.views import ReleaseItemView, ReleaseView, UndoView
from directory.scope import resolve_scope

api = Api("releases")


@api.route(
    "GET",
    "/releases",
    access=Access.MEMBER,
    summary="Bulk releases in sight, newest first",
    query=PageQuery,
    reply=Page[ReleaseView],
)
def list_releases(call: Call[None, PageQuery]) -> Page[ReleaseView]:
    page, page_size = call.query.page, call.query.page_size
    with call.runtime.database.reading() as session:
        found, total = queries.releases_page(session, resolve_scope(session, call.actor.id), page, page_size)
        items = _views(session, found)
    return Page[ReleaseView](items=items, page=page, page_size=page_size, total=total)


@api.route(
    "GET",
    "/releases/<uuid:release_id>",
    access=Access.MEMBER,
    summary="A bulk release, and what became of its undo",
    reply=ReleaseView,
)
def read_release(call: Call[None, None], release_id: UUID) -> ReleaseView:
    with call.runtime.database.reading() as session:
        found = queries.release_in_sight(session, resolve_scope(session, call.actor.id), release_id)
        if found is None:
            raise NotFound("not_found")
        return _views(session, [found])[0]


@api.route(
    "GET",
    "/releases/<uuid:release_id>/items",
    access=Access.MEMBER,
    summary="The customers that a bulk release took",
    query=PageQuery,
    reply=Page[ReleaseItemView],
)
def list_release_items(call: Call[None, PageQuery], release_id: UUID) -> Page[ReleaseItemView]:
    page, page_size, actor_id = call.query.page, call.query.page_size, call.actor.id
    with call.runtime.database.reading() as session:
        sight = sight_of(session, actor_id)
        release = queries.release_in_sight(session, sight.scope, release_id)
        if release is None:
            raise NotFound("not_found")
        found = queries.losses_page(session, release_id, page, page_size)
        items = _items(session, sight, found)
    return Page[ReleaseItemView](items=items, page=page, page_size=page_size, total=release.customers)


@api.route(
    "POST",
    "/releases/<uuid:release_id>:undo",
    access=Access.MEMBER,
    summary="Undo a bulk release within 72 hours",
    reply=ReleaseView,
    status=202,
    idempotent=True,
)
def undo_release(call: Call[None, None], release_id: UUID) -> ReleaseView:
    """For who manages pools, and for who made a release by hand. A worker does it, page by page."""

    def work(session: Session) -> ReleaseView:
        return _views(session, [commands.undo(session, call.actor, release_id, clock.now())])[0]

    return call.command(work)


def _items(session: Session, sight: Sight, found: Sequence[tuple[HistoryEntry, Assignment]]) -> list[ReleaseItemView]:
    sight = about(session, sight, [assignment for _, assignment in found])
    seen = {assignment.customer_id for _, assignment in found if sight.sees(assignment)}
    customers = customer_names(session, seen)
    owners = names_of(session, {taken.from_owner_id for taken, _ in found}, ())
    untouched = queries.untouched(session, {taken.customer_id: taken.version for taken, _ in found})
    return [
        ReleaseItemView(
            customer_id=taken.customer_id,
            name=customers.get(taken.customer_id),
            former_owner=named_if(taken.from_owner_id, owners),
            untouched=taken.customer_id in untouched,
        )
        for taken, _ in found
    ]


def _views(session: Session, releases: Sequence[Release]) -> list[ReleaseView]:
    members = {id_ for one in releases for id_ in (one.actor_id, one.owner_id, one.undone_by)}
    names = names_of(session, members, {one.pool_id for one in releases})
    return [_view(one, names) for one in releases]


def _view(one: Release, names: Names) -> ReleaseView:
    return ReleaseView(
        id=one.id,
        at=one.at,
        cause=Cause(one.cause),
        actor=named_if(one.actor_id, names),
        former_owner=named_if(one.owner_id, names),
        pool=named_if(one.pool_id, names),
        customers=one.customers,
        skipped=one.skipped,
        undo_until=one.undo_until,
        undo=_undo(one, names),
    )


def _undo(one: Release, names: Names) -> UndoView | None:
    if one.undo_batch_id is None or one.undone_by is None or one.undone_at is None:
        return None
    return UndoView(
        batch_id=one.undo_batch_id,
        actor=named(one.undone_by, names),
        at=one.undone_at,
        returned=one.returned,
        not_returned=one.not_returned,
        over_cap=one.over_cap,
    )
