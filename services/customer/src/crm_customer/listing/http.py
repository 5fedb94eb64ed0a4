"""REST of the customer list."""

from typing import cast

from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.days import day_of
from chassis.errors import FieldError, invalid
from chassis.http.api import Api, Page
from chassis.http.call import Call
from crm_customer.counting import Total
from crm_customer.customers.queries import seen
from crm_customer.customers.sight import sight_of
from crm_customer.customers.views import CustomerView, customer_views
from crm_customer.listing.filters import Here, catalogue_for, filter_of
from crm_customer.listing.queries import page_of, total
from crm_customer.listing.rules import Filter, ListView
from crm_customer.listing.views import CustomerQuery
from crm_customer.locking.queries import locked_page
from crm_customer.paging import LAST, Listing, paged, window_of
from crm_customer.settings import Settings
from directory.permissions import Permission

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
    if call.query.view is ListView.LOCKED:
        return _locked(call)
    return paged(call.runtime.database, call.query, lambda session: _listing(session, call))


def _listing(session: Session, call: Call[None, CustomerQuery]) -> Listing[Filter, CustomerView]:
    query, here = call.query, _here(session, call)
    today = day_of(here.moment, here.zone)
    wanted = filter_of(here, catalogue_for(session, here, query), query, query.sort)
    return Listing(
        wanted,
        order="-deleted_at" if wanted.deleted else str(wanted.sort),
        moment=wanted.order[0],
        find=lambda session, *where: page_of(session, here.sight, *where),
        show=lambda session, ids: customer_views(seen(session, here.sight, ids), today),
        total=lambda wanted: total(call.runtime.database, here.sight, wanted),
    )


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
    return Here(sight_of(session, call.actor.id), now(), pattern)
