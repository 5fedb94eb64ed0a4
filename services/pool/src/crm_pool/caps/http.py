"""REST of holding caps."""

from uuid import UUID

from sqlalchemy.orm import Session

from chassis.http.api import Api, Page, PageQuery
from chassis.http.call import Call
from crm_pool.caps import commands, queries
from crm_pool.caps.model import HoldingCap
from crm_pool.caps.views import CapChange, CapView, NewCap
from directory.permissions import Permission

api = Api("caps")


@api.route(
    "GET",
    "/pools/caps",
    access=Permission.POOL_MANAGE,
    summary="Holding caps of departments and members",
    query=PageQuery,
    reply=Page[CapView],
)
def list_caps(call: Call[None, PageQuery]) -> Page[CapView]:
    page, page_size = call.query.page, call.query.page_size
    with call.runtime.database.reading() as session:
        found, total = queries.caps_page(session, page, page_size)
    items = [CapView.model_validate(row) for row in found]
    return Page[CapView](items=items, page=page, page_size=page_size, total=total)


@api.route(
    "POST",
    "/pools/caps",
    access=Permission.POOL_MANAGE,
    summary="Set the holding cap of a member or department",
    body=NewCap,
    reply=CapView,
    status=201,
    idempotent=True,
    versioned=True,
)
def create_cap(call: Call[NewCap, None]) -> CapView:
    body = call.body

    def work(session: Session) -> CapView:
        made = commands.create_cap(
            session, call.actor.id, body.cap, member_id=body.member_id, department_id=body.department_id
        )
        return _view(*made)

    return call.command(work)


@api.route(
    "PATCH",
    "/pools/caps/<uuid:cap_id>",
    access=Permission.POOL_MANAGE,
    summary="Change a holding cap",
    body=CapChange,
    reply=CapView,
    versioned=True,
)
def change_cap(call: Call[CapChange, None], cap_id: UUID) -> CapView:
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        return _view(*commands.change_cap(session, call.actor.id, cap_id, expected, call.body.cap))


@api.route(
    "DELETE", "/pools/caps/<uuid:cap_id>", access=Permission.POOL_MANAGE, summary="Lift a holding cap", status=204
)
def delete_cap(call: Call[None, None], cap_id: UUID) -> None:
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        commands.delete_cap(session, call.actor.id, cap_id, expected)


def _view(cap: HoldingCap, name: str) -> CapView:
    return CapView(
        id=cap.id,
        cap=cap.cap,
        member_id=cap.member_id,
        department_id=cap.department_id,
        name=name,
        version=cap.version,
    )
