"""From what a list is asked for to conditions on customers: names found, days counted, rights looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.clock import day_of
from chassis.errors import FieldError, Invalid
from crm_customer.customers.queries import Sight, load_reference
from crm_customer.customers.rules import Reference
from crm_customer.fields.queries import custom_fields
from crm_customer.listing.field_conditions import Asked, Catalogue, FieldCondition, read_conditions
from crm_customer.listing.rules import (
    EXACT,
    Filter,
    ListView,
    Sort,
    day_after,
    option_conditions,
    start_of,
    with_conditions,
    with_view,
)
from crm_customer.listing.views import CustomerFilter
from crm_customer.tags.model import Tag


@dataclass(frozen=True)
class Here:
    """Who asks, when, in which zone; and what a mobile number looks like."""

    sight: Sight
    moment: datetime
    zone: str
    mobile_pattern: str


def filter_of(session: Session, here: Here, asked: CustomerFilter, sort: Sort | None = None) -> Filter:
    """The list asked for. Raises Invalid with everything that is wrong."""
    texts = {name: str(getattr(asked, name)) for name in EXACT if getattr(asked, name) is not None}
    wanted = Filter(
        search=asked.search,
        address=asked.address,
        owner_ids=(asked.owner_id,) if asked.owner_id else (),
        pool_ids=(asked.pool_id,) if asked.pool_id else (),
        created_from=start_of(asked.created_from, here.zone) if asked.created_from else None,
        created_until=start_of(day_after(asked.created_to), here.zone) if asked.created_to else None,
        sort=sort or default_sort(asked.view),
    )
    return narrowed(session, here, wanted, texts, asked.conditions.asked(), asked.view)


def default_sort(view: ListView) -> Sort:
    """Newest first (A-29); recently updated ones by their last change (A-11)."""
    return Sort.LAST_UPDATED if view is ListView.RECENTLY_UPDATED else Sort.NEWEST


def narrowed(
    session: Session, here: Here, wanted: Filter, texts: dict[str, str], asked: Sequence[Asked], view: ListView
) -> Filter:
    """`wanted` narrowed by options, as texts, by conditions, and to a view. Raises Invalid with everything wrong."""
    found: list[FieldCondition] = []
    errors: list[FieldError] = []
    if texts or asked:
        reference = load_reference(session, here.mobile_pattern)
        options, problems = option_conditions(texts, reference)
        conditions, wrong = read_conditions(asked, _catalogue(session, here, asked, reference))
        found, errors = [*options, *conditions], [problem.error() for problem in problems] + wrong
    if errors:
        raise Invalid("validation_failed", errors=errors, count=len(errors))
    wanted = with_conditions(wanted, found, here.zone)
    return with_view(wanted, view, here.sight.scope.member_id, here.moment, here.zone)


def _catalogue(session: Session, here: Here, asked: Sequence[Asked], reference: Reference) -> Catalogue:
    """What the conditions are read against; of custom fields and tags only where some are asked for."""
    today = day_of(here.moment, here.zone)
    names = {one.field for one in asked}
    fields = custom_fields(session, here.sight.scope) if any(name.startswith("custom.") for name in names) else ()
    filterable = [field for field in fields if field.filterable]
    tags: frozenset[UUID] = frozenset()
    if "tags" in names:
        tags = frozenset(session.scalars(select(Tag.id)))
    return Catalogue(
        reference,
        today,
        {field.key: field.rule() for field in filterable},
        frozenset(f"custom.{field.key}" for field in filterable if field.indexed),
        tags,
    )
