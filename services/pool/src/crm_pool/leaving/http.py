"""REST of leavers: who left and owns customers still, and handing these over: now, when their day comes, or to chosen ones."""

from collections import Counter
from typing import cast
from uuid import UUID

from sqlalchemy.orm import Session

from batch.http import BatchView, batch_view
from batch.selection import CustomerFilter
from chassis import clock
from chassis.errors import NotFound
from chassis.http.api import Api, Page, PageQuery
from chassis.http.call import Call
from crm_pool.assignments.clients import resolve
from crm_pool.assignments.http import named_if, names_of, passed_over_views
from crm_pool.assignments.views import Named
from crm_pool.leaving import commands, queries, sharing
from crm_pool.leaving.queries import Listed
from crm_pool.leaving.sharing import Plan, Wish
from crm_pool.leaving.views import LeaverView, RemarkView, ShareView, Sharing, SharingPlanView
from directory.permissions import Permission
from directory.scope import resolve_scope, zone_of

api = Api("leavers")


@api.route(
    "GET",
    "/assignments/leavers",
    access=Permission.POOL_ASSIGN,
    summary="Members who left and own customers still, the next to be handed over first",
    query=PageQuery,
    reply=Page[LeaverView],
)
def list_leavers(call: Call[None, PageQuery]) -> Page[LeaverView]:
    page, page_size = call.query.page, call.query.page_size
    with call.runtime.database.reading() as session:
        found, total = queries.leavers_page(session, resolve_scope(session, call.actor.id), page, page_size)
    return Page[LeaverView](items=[_view(one) for one in found], page=page, page_size=page_size, total=total)


@api.route(
    "GET",
    "/assignments/leavers/<uuid:member_id>",
    access=Permission.POOL_ASSIGN,
    summary="A member who left and owns customers still",
    reply=LeaverView,
)
def read_leaver(call: Call[None, None], member_id: UUID) -> LeaverView:
    with call.runtime.database.reading() as session:
        found = queries.listed_leaver(session, resolve_scope(session, call.actor.id), member_id)
    if found is None:
        raise NotFound("not_found")
    return _view(found)


@api.route(
    "POST",
    "/assignments/leavers/<uuid:member_id>:hand-over",
    access=Permission.POOL_ASSIGN,
    summary="Hand a leaver's customers over now, without waiting for the day",
    reply=LeaverView,
    idempotent=True,
)
def hand_leaver_over(call: Call[None, None], member_id: UUID) -> LeaverView:
    """A worker begins within seconds; the reply says how many customers are left to go."""

    def work(session: Session) -> LeaverView:
        return _view(commands.hand_over_now(session, call.actor.id, member_id, clock.now()))

    return call.command(work)


@api.route(
    "POST",
    "/assignments/leavers/<uuid:member_id>:plan",
    access=Permission.POOL_ASSIGN,
    summary="See who would get how many of a leaver's customers",
    body=Sharing,
    reply=SharingPlanView,
)
def plan_sharing(call: Call[Sharing, None], member_id: UUID) -> SharingPlanView:
    """Nothing changes."""
    wish = _wish(call, member_id)
    with call.runtime.database.transaction() as session:
        return _plan_view(call, session, sharing.plan(session, call.actor.id, member_id, wish, clock.now()))


@api.route(
    "POST",
    "/assignments/leavers/<uuid:member_id>:share",
    access=Permission.POOL_ASSIGN,
    summary="Hand a leaver's customers over to members evenly or by region, or to a pool",
    body=Sharing,
    reply=BatchView,
    status=202,
    idempotent=True,
)
def share_customers(call: Call[Sharing, None], member_id: UUID) -> BatchView:
    """A worker does it, page by page; `GET /assignments/batches/{id}` tells how far it has come. Undone as a release."""
    earlier = call.earlier()
    if earlier is not None:
        return cast(BatchView, earlier)
    wish = _wish(call, member_id)

    def work(session: Session) -> BatchView:
        return batch_view(session, sharing.start(session, call.actor.id, member_id, wish, clock.now()))

    return call.command(work)


def _wish(call: Call[Sharing, None], member_id: UUID) -> Wish:
    """What was asked for. By region customer is asked, as the caller, which of the leaver's customers lie where: of several
    regions that one lies in the first counts.
    """
    body = call.body
    if body.how != "by_region":
        return Wish(tuple(body.member_ids), pool_id=body.pool_id)
    with call.runtime.database.reading() as session:
        zone = zone_of(session)
    meant: dict[UUID, UUID] = {}
    for place, region in enumerate(body.regions):
        wanted = CustomerFilter(owner_id=member_id, province=region.province, city=region.city)
        for id_ in resolve(call.runtime, call.actor.id, wanted, zone, f"/regions/{place}"):
            meant.setdefault(id_, region.member_id)
    receivers, rest = tuple(region.member_id for region in body.regions), body.rest
    return Wish(receivers, meant, rest.member_id if rest else None, rest.pool_id if rest else None)


def _plan_view(call: Call[Sharing, None], session: Session, plan: Plan) -> SharingPlanView:
    places = Counter(one.change.assignment.place for one in plan.shared if one.change)
    names = names_of(session, {place.owner_id for place in places}, {place.pool_id for place in places})
    moved = Counter(one.code for one in plan.shared if one.change and one.code)
    staying = Counter(one.code for one in plan.shared if not one.change)
    return SharingPlanView(
        customers=len(plan.shared),
        shares=[
            ShareView(member=named_if(place.owner_id, names), pool=named_if(place.pool_id, names), customers=customers)
            for place, customers in places.most_common()
        ],
        redirected=_remarks(call, moved),
        staying=_remarks(call, staying),
        passed_over=passed_over_views(call, plan.passed_over),
    )


def _remarks(call: Call[Sharing, None], customers: Counter[str]) -> list[RemarkView]:
    text, language = call.runtime.messages.text, call.language
    return [RemarkView(code=code, message=text(code, language, {}), customers=n) for code, n in customers.items()]


def _view(one: Listed) -> LeaverView:
    return LeaverView(
        member=Named(id=one.member_id, name=one.name),
        department_id=one.department_id,
        left_at=one.left_at,
        hand_over_on=one.hand_over_on,
        customers=one.customers,
        wecom_friends=one.wecom_friends,
    )
