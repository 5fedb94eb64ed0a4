"""REST of leavers: who left and owns customers still. Giving these to others is what the verbs of assignments do."""

from uuid import UUID

from sqlalchemy.orm import Session

from chassis import clock
from chassis.errors import NotFound
from chassis.http.api import Api, Page, PageQuery
from chassis.http.call import Call
from crm_pool.assignments.views import Named
from crm_pool.leaving import commands, queries
from crm_pool.leaving.queries import Listed
from crm_pool.leaving.views import LeaverView
from directory.permissions import Permission
from directory.scope import resolve_scope

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


def _view(one: Listed) -> LeaverView:
    return LeaverView(
        member=Named(id=one.member_id, name=one.name),
        department_id=one.department_id,
        left_at=one.left_at,
        hand_over_on=one.hand_over_on,
        customers=one.customers,
        wecom_friends=one.wecom_friends,
    )
