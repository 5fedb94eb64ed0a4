"""REST of the contact list."""

from datetime import date

from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.days import day_of, span
from chassis.errors import FieldError, invalid
from chassis.http.api import Api, Page
from chassis.http.call import Call
from crm_customer.contact_list.queries import page_of, total
from crm_customer.contact_list.rules import (
    BIRTHDAYS_AHEAD,
    ContactConditions,
    ContactListView,
    Days,
    birthdays_of,
    coming_birthdays,
)
from crm_customer.contact_list.views import ContactQuery
from crm_customer.customers.sight import sight_of
from crm_customer.listing.rules import Filter, ListView, with_view
from crm_customer.paging import Listing, paged
from crm_customer.people.queries import seen_contacts
from crm_customer.people.views import ContactDetail, contact_detail
from directory.permissions import Permission

api = Api("contacts")


@api.route(
    "GET",
    "/contacts",
    access=Permission.CUSTOMER_READ,
    summary="List contacts",
    query=ContactQuery,
    reply=Page[ContactDetail],
)
def list_contacts(call: Call[None, ContactQuery]) -> Page[ContactDetail]:
    """Contacts of all customers that the caller sees (B-01 to B-10): views, search conditions, 15 a page."""
    return paged(call.runtime.database, call.query, lambda session: _listing(session, call))


def _listing(session: Session, call: Call[None, ContactQuery]) -> Listing[ContactConditions, ContactDetail]:
    sight = sight_of(session, call.actor.id)
    wanted = _filter(call, sight.scope.zone)
    return Listing(
        wanted,
        order=wanted.moment,
        # Birthdays of a month are few: they are paged by number alone.
        moment="" if wanted.birthdays else wanted.moment,
        find=lambda session, *where: page_of(session, sight, *where),
        show=lambda session, ids: [contact_detail(one) for one in seen_contacts(session, sight, ids)],
        total=lambda wanted: total(call.runtime.database, sight, wanted),
    )


def _filter(call: Call[None, ContactQuery], zone: str) -> ContactConditions:
    query, moment = call.query, now()
    today = day_of(moment, zone)
    coming = query.view is ContactListView.BIRTHDAYS
    since, until = span(query.created_from, query.created_to, zone)
    owner_ids = (query.owner_id,) if query.owner_id else ()
    conditions = Filter(owner_ids=owner_ids, created_from=since, created_until=until)
    # The same days as in the list of customers.
    narrowed = with_view(conditions, ListView.ALL if coming else ListView(query.view), call.actor.id, moment, zone)
    return ContactConditions(
        name=query.name,
        phone=query.phone,
        position=query.position,
        salutation=query.salutation,
        owner_id=next(iter(narrowed.owner_ids), None),
        customer_id=query.customer_id,
        created_from=narrowed.created_from,
        created_until=narrowed.created_until,
        updated_from=narrowed.updated_from,
        birthdays=coming_birthdays(today, today + BIRTHDAYS_AHEAD) if coming else _birthdays(query, today),
        deleted=narrowed.deleted,
    )


def _birthdays(query: ContactQuery, today: date) -> Days | None:
    if query.birthday_from is None and query.birthday_to is None:
        return None
    errors = [
        FieldError(f"/{name}", "missing") for name in ("birthday_from", "birthday_to") if getattr(query, name) is None
    ]
    if not errors:
        try:
            return birthdays_of(query.birthday_from or "", query.birthday_to or "", today)
        except ValueError:
            errors = [FieldError("/birthday_from", "date_parsing"), FieldError("/birthday_to", "date_parsing")]
    raise invalid(*errors)
