"""REST of the customer list."""

from typing import cast

from sqlalchemy.orm import Session

from chassis.clock import day_of, now
from chassis.errors import Invalid
from chassis.http.api import Api, Page
from chassis.http.call import Call
from crm_customer.customers.queries import load_reference, seen, sight_of
from crm_customer.customers.views import CustomerView, customer_views
from crm_customer.listing.queries import page_of, total
from crm_customer.listing.rules import EXACT, Filter, ListView, Sort, day_after, exact_conditions, start_of, with_view
from crm_customer.listing.totals import kept_total
from crm_customer.listing.views import CustomerQuery
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
    """Every list of customers, pool pages included (A-06 to A-29): views, search conditions, 15 a page."""
    query = call.query
    with call.runtime.database.reading() as session:
        sight = sight_of(session, call.actor.id)
        zone = zone_of(session)
        wanted = _filter(session, call, zone)
        ids = page_of(session, sight, wanted, (query.page - 1) * query.page_size, query.page_size)
        items = customer_views(seen(session, sight, ids), day_of(now(), zone))
    database = call.runtime.database
    count, estimated = kept_total((database.url, sight, wanted), lambda: total(database, sight, wanted))
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
