"""REST of the customer list."""

from dataclasses import replace
from typing import cast

from sqlalchemy.orm import Session

from chassis.clock import day_of, now
from chassis.errors import FieldError, invalid
from chassis.http.api import Api, Page
from chassis.http.call import Call
from crm_customer.customers.queries import seen
from crm_customer.customers.sight import sight_of
from crm_customer.customers.views import CustomerView, customer_views
from crm_customer.listing.filters import Here, catalogue_for, filter_of
from crm_customer.listing.queries import page_of, total
from crm_customer.listing.rules import Filter, ListView
from crm_customer.listing.views import CustomerQuery
from crm_customer.locking.queries import locked_page
from crm_customer.paging import LAST, Cursor, Total, Window, read_position, shown, total_shown, window_of
from crm_customer.settings import Settings
from directory.permissions import Permission
from directory.scope import zone_of

api = Api("customers")


@api.route(
    "GET",
    "/customers",
    access=Permission.CUSTOMER_READ,
    summary="List customers",
    query=CustomerQuery,
    reply=Page[CustomerView],
)
def list_customers(call: Call[None, CustomerQuery]) -> Page[CustomerView]:
    """Every list of customers, pool pages included (A-06 to A-29, I-05 to I-09): views, conditions, 15 a page."""
    query, page = call.query, None
    if query.view is ListView.LOCKED:
        return _locked(call)
    with call.runtime.database.reading() as session:
        here = _here(session, call)
        wanted = filter_of(here, catalogue_for(session, here, query), query, query.sort)
        if not query.needs_total:
            page = _page(session, here, wanted, query, None)
    count = None if page is None else total_shown(query, page)
    if count is None:
        count = total(call.runtime.database, here.sight, wanted)
    if page is None:
        with call.runtime.database.reading() as session:
            page = _page(session, here, wanted, query, count)
    seen_rows = (page.page - 1) * page.page_size + len(page.items) + bool(page.next_cursor)
    page.total = max(count.rows, seen_rows) if count.estimated else count.rows
    page.total_is_estimate = count.estimated
    return page


def _locked(call: Call[None, CustomerQuery]) -> Page[CustomerView]:
    """Locked customers. A condition would tell what those of others hold (X-23)."""
    query = call.query
    others = sorted(query.model_fields_set - {"view", "page", "page_size"})
    if others:
        raise invalid(*(FieldError(f"/{name}", "not_with_locked") for name in others))
    with call.runtime.database.reading() as session:
        here = _here(session, call)
        page, size = query.page, query.page_size
        if page == LAST:
            page = window_of(query, Total(locked_page(session, here.sight, 0, 1)[1])).page
        ids, count = locked_page(session, here.sight, (page - 1) * size, size)
        items = customer_views(seen(session, here.sight, ids), day_of(here.moment, here.zone))
    return Page(items=items, page=page, page_size=size, total=count)


def _here(session: Session, call: Call[None, CustomerQuery]) -> Here:
    pattern = cast(Settings, call.runtime.settings).mobile_pattern
    return Here(sight_of(session, call.actor.id), now(), zone_of(session), pattern)


def _page(
    session: Session, here: Here, wanted: Filter, query: CustomerQuery, count: Total | None
) -> Page[CustomerView]:
    """The page, with its number and how to go on after it; `count` is given where it is found from the end."""
    column, _ = wanted.order
    order = "-deleted_at" if wanted.deleted else str(wanted.sort)
    window = window_of(query, count)
    if query.cursor:
        cursor = read_position(query.cursor, order)
        wanted, window = replace(wanted, after=(cursor.at, cursor.id)), Window(cursor.page, 0, query.page_size)
    wanted = replace(wanted, backwards=window.backwards)
    one_more = 0 if window.backwards else 1
    found = page_of(session, here.sight, wanted, window.offset, window.limit + one_more) if window.limit else []
    ids, more = shown(found, window)
    rows = seen(session, here.sight, ids)
    last = rows[-1].customer if rows else None
    after = Cursor(order, getattr(last, column), last.id, window.page + 1) if last and more else None
    return Page(
        items=customer_views(rows, day_of(here.moment, here.zone)),
        page=window.page,
        page_size=query.page_size,
        total=0,
        next_cursor=after.written() if after else None,
    )
