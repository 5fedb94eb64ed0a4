"""REST of the customer list."""

import time
from typing import Any, cast

from sqlalchemy.orm import Session

from chassis.clock import day_of, now
from chassis.errors import Invalid
from chassis.http.api import Api, Page
from chassis.http.call import Call
from chassis.runtime import Runtime
from crm_customer.customers.queries import Sight, load_reference, seen, sight_of
from crm_customer.customers.views import CustomerView, customer_views
from crm_customer.listing.queries import page_of, total
from crm_customer.listing.rules import EXACT, Filter, ListView, Sort, day_after, exact_conditions, start_of, with_view
from crm_customer.listing.views import CustomerQuery
from crm_customer.settings import Settings
from directory.permissions import Permission
from directory.scope import zone_of

api = Api("customers")
_KEPT_SECONDS = 15
_KEPT_FROM = 1000
_MOST_KEPT = 10_000
_totals: dict[Any, tuple[float, tuple[int, bool]]] = {}


@api.route(
    "GET",
    "/customers",
    access=Permission.CUSTOMER_READ,
    summary="List customers",
    query=CustomerQuery,
    reply=Page[CustomerView],
)
def list_customers(call: Call[None, CustomerQuery]) -> Page[CustomerView]:
    """Every list of customers, pool pages included (A-06 to A-29): views, search conditions, 15 a page."""
    query = call.query
    with call.runtime.database.reading() as session:
        sight = sight_of(session, call.actor.id)
        zone = zone_of(session)
        wanted = _filter(session, call, zone)
        ids = page_of(session, sight, wanted, (query.page - 1) * query.page_size, query.page_size)
        items = customer_views(seen(session, sight, ids), day_of(now(), zone))
    count, estimated = _total(call.runtime, sight, wanted)
    return Page(items=items, page=query.page, page_size=query.page_size, total=count, total_is_estimate=estimated)


def _filter(session: Session, call: Call[None, CustomerQuery], zone: str) -> Filter:
    query = call.query
    texts = {name: str(getattr(query, name)) for name in EXACT if getattr(query, name) is not None}
    pattern = cast(Settings, call.runtime.settings).mobile_pattern
    exact, problems = exact_conditions(texts, load_reference(session, pattern)) if texts else ((), [])
    if problems:
        raise Invalid("validation_failed", errors=[problem.error() for problem in problems], count=len(problems))
    recent = query.view is ListView.RECENTLY_UPDATED
    conditions = Filter(
        search=query.search,
        address=query.address,
        owner_id=query.owner_id,
        pool_id=query.pool_id,
        exact=exact,
        created_from=start_of(query.created_from, zone) if query.created_from else None,
        created_until=start_of(day_after(query.created_to), zone) if query.created_to else None,
        sort=query.sort or (Sort.LAST_UPDATED if recent else Sort.NEWEST),
    )
    return with_view(conditions, query.view, call.actor.id, now(), zone)


def _total(runtime: Runtime, sight: Sight, wanted: Filter) -> tuple[int, bool]:
    """The size of the list. Large ones, where one more or less goes unnoticed, are counted every 15 seconds."""
    key = (runtime.database.url, sight, wanted)
    kept = _totals.get(key)
    if kept is not None and kept[0] > time.monotonic():
        return kept[1]
    counted = total(runtime.database, sight, wanted)
    if counted[1] or counted[0] >= _KEPT_FROM:
        if len(_totals) >= _MOST_KEPT:
            _totals.clear()
        _totals[key] = (time.monotonic() + _KEPT_SECONDS, counted)
    return counted
