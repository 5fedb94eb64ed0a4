"""REST of the delivery ledger."""

from chassis.http.api import Access, Api, Page
from chassis.http.call import Call
from crm_notify.deliveries import queries
from crm_notify.deliveries.views import DeliveryQuery, DeliveryView
from crm_notify.notifications.queries import names_of
from directory.permissions import Permission

api = Api("deliveries")


@api.route(
    "GET",
    "/deliveries",
    access=Access.MEMBER,
    summary="List e-mail deliveries, newest first",
    query=DeliveryQuery,
    reply=Page[DeliveryView],
)
def list_deliveries(call: Call[None, DeliveryQuery]) -> Page[DeliveryView]:
    """One's own; with the right audit.read everybody's."""
    query, actor = call.query, call.actor
    whose = None if actor.may(Permission.AUDIT_READ) else actor.id
    with call.runtime.database.reading() as session:
        rows, total = queries.deliveries(session, whose, query.status, query.page, query.page_size)
        names = names_of(session, {row.member_id for row in rows if row.member_id})
    items = [
        DeliveryView.of(row, names.get(row.member_id, "") if row.member_id else "", _error(call, row.last_error_code))
        for row in rows
    ]
    return Page[DeliveryView](items=items, page=query.page, page_size=query.page_size, total=total)


def _error(call: Call[None, DeliveryQuery], code: str | None) -> str | None:
    if code is None:
        return None
    # A reply code of its own words, else those of its class: smtp_452 → smtp_4xx.
    return call.runtime.messages.text((code, f"{code[:6]}xx"), call.language, {"code": code})
