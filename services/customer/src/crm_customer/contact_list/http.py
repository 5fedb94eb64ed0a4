"""REST of the contact list."""

from dataclasses import replace
from datetime import date

from sqlalchemy.orm import Session

from chassis.clock import day_of, now
from chassis.errors import FieldError, invalid
from chassis.http.api import Api, Page
from chassis.http.call import Call
from crm_customer.contact_list.queries import page_of, total
from crm_customer.contact_list.rules import (
    BIRTHDAYS_AHEAD,
    ContactConditions,
    ContactListView,
    Days,
    birthdays_between,
    birthdays_of,
)
from crm_customer.contact_list.views import ContactQuery
from crm_customer.customers.sight import Sight, sight_of
from crm_customer.listing.rules import Filter, ListView, day_after, start_of, with_view
from crm_customer.paging import Cursor, Total, Window, read_position, shown, total_shown, window_of
from crm_customer.people.queries import seen_contacts
from crm_customer.people.views import ContactDetail, contact_detail
from directory.permissions import Permission
from directory.scope import zone_of

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
    query, page = call.query, None
    with call.runtime.database.reading() as session:
        sight = sight_of(session, call.actor.id)
        wanted = _filter(call, zone_of(session))
        if not query.needs_total:
            page = _page(session, sight, wanted, query, None)
    count = None if page is None else total_shown(query, page)
    if count is None:
        count = total(call.runtime.database, sight, wanted)
    if page is None:
        with call.runtime.database.reading() as session:
            page = _page(session, sight, wanted, query, count)
    page.total, page.total_is_estimate = count.rows, count.estimated
    return page


def _page(
    session: Session, sight: Sight, wanted: ContactConditions, query: ContactQuery, count: Total | None
) -> Page[ContactDetail]:
    """The page, with its number and how to go on after it; `count` is given where it is found from the end."""
    order = "birthdays" if wanted.birthdays else wanted.moment
    window = window_of(query, count)
    if query.cursor:
        cursor = read_position(query.cursor, order)
        wanted, window = replace(wanted, after=(cursor.at, cursor.id)), Window(cursor.page, 0, query.page_size)
    wanted = replace(wanted, backwards=window.backwards)
    one_more = 0 if window.backwards else 1
    found = page_of(session, sight, wanted, window.offset, window.limit + one_more) if window.limit else []
    ids, more = shown(found, window)
    items = [contact_detail(seen) for seen in seen_contacts(session, sight, ids)]
    # Birthdays of a month are few: they are paged by number alone.
    goes_on = more and items and not wanted.birthdays
    after = Cursor(order, getattr(items[-1], order), items[-1].id, window.page + 1) if goes_on else None
    return Page(
        items=items,
        page=window.page,
        page_size=query.page_size,
        total=0,
        next_cursor=after.written() if after else None,
    )


def _filter(call: Call[None, ContactQuery], zone: str) -> ContactConditions:
    query, moment = call.query, now()
    today = day_of(moment, zone)
    coming = query.view is ContactListView.BIRTHDAYS
    conditions = Filter(
        owner_ids=(query.owner_id,) if query.owner_id else (),
        created_from=start_of(query.created_from, zone) if query.created_from else None,
        created_until=start_of(day_after(query.created_to), zone) if query.created_to else None,
    )
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
        birthdays=birthdays_between(today, today + BIRTHDAYS_AHEAD) if coming else _birthdays(query, today),
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
