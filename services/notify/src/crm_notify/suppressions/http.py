"""REST of the addresses that get nothing more (停发名单)."""

from uuid import UUID

from sqlalchemy.orm import Session

from chassis.http.api import Api, Page
from chassis.http.call import Call
from crm_notify.deliveries.rules import Channel
from crm_notify.suppressions import commands, queries
from crm_notify.suppressions.rules import Reason
from crm_notify.suppressions.views import NewSuppression, SuppressionQuery, SuppressionView
from directory.permissions import Permission

api = Api("suppressions")


@api.route(
    "GET",
    "/suppressions",
    access=Permission.NOTIFY_CONFIGURE,
    summary="List addresses that get nothing more, newest first",
    query=SuppressionQuery,
    reply=Page[SuppressionView],
)
def list_suppressions(call: Call[None, SuppressionQuery]) -> Page[SuppressionView]:
    query = call.query
    with call.runtime.database.reading() as session:
        rows, total = queries.suppressions(session, query.search, query.reason, query.page, query.page_size)
        items = [SuppressionView.of(row) for row in rows]
    return Page[SuppressionView](items=items, page=query.page, page_size=query.page_size, total=total)


@api.route(
    "POST",
    "/suppressions",
    access=Permission.NOTIFY_CONFIGURE,
    summary="Send no mailings to an address",
    body=NewSuppression,
    reply=SuppressionView,
    status=201,
    idempotent=True,
)
def add_suppression(call: Call[NewSuppression, None]) -> SuppressionView:
    """One that is there already is answered as it is."""
    body, actor_id = call.body, call.actor.id

    def work(session: Session) -> SuppressionView:
        found = commands.suppress(
            session, Channel.EMAIL, body.address, Reason.MANUAL, note=body.note, actor_id=actor_id
        )
        return SuppressionView.of(found)

    return call.command(work)


@api.route(
    "DELETE",
    "/suppressions/<uuid:suppression_id>",
    access=Permission.NOTIFY_CONFIGURE,
    summary="Send to an address again",
    status=204,
)
def lift_suppression(call: Call[None, None], suppression_id: UUID) -> None:
    """Other reasons for the same address stay."""
    with call.runtime.database.transaction() as session:
        commands.lift(session, suppression_id, call.actor.id)
