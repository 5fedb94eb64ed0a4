"""REST of looks at hidden contacts."""

from dataclasses import replace
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.days import day_of
from chassis.http.api import Api
from chassis.http.call import Call
from crm_customer.customers.sight import sight_of
from crm_customer.people.queries import visible_contact
from crm_customer.people.views import ContactDetail, contact_detail
from crm_customer.reveals.commands import reveal
from directory.permissions import Permission
from directory.scope import zone_of

api = Api("contacts")


@api.route(
    "POST",
    "/contacts/<uuid:contact_id>:reveal",
    access=Permission.CUSTOMER_READ,
    summary="Look at what a pool hides of a contact",
    reply=ContactDetail,
    idempotent=True,
)
def reveal_contact(call: Call[None, None], contact_id: UUID) -> ContactDetail:
    """All its fields, for one of the looks that the pool allows a day (409 reveal_budget_spent); again on that day for
    none. Where nothing is hidden nothing is booked. Every look is audited; other replies go on masking.
    """

    def work(session: Session) -> ContactDetail:
        seen = visible_contact(session, sight_of(session, call.actor.id), contact_id)
        if seen.hidden:
            moment = now()
            reveal(session, call.actor.id, seen, moment, day_of(moment, zone_of(session)))
        return contact_detail(replace(seen, hidden=frozenset()))

    return call.command(work)
