"""From what a list is asked for to conditions on customers: names found, days counted, rights looked at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.days import day_of, span
from chassis.errors import invalid
from crm_customer.customers.queries import load_reference
from crm_customer.customers.sight import Sight
from crm_customer.fields.queries import custom_fields
from crm_customer.listing.field_conditions import Asked, Catalogue, read_conditions
from crm_customer.listing.rules import (
    EXACT,
    Filter,
    ListView,
    Sort,
    option_conditions,
    with_conditions,
    with_view,
)
from crm_customer.listing.views import CustomerFilter
from crm_customer.tags.model import Tag


@dataclass(frozen=True)
class Here:
    """Who asks, when; and what a mobile number looks like."""

    sight: Sight
    moment: datetime
    mobile_pattern: str

    @property
    def zone(self) -> str:
        """The zone in which days begin."""
        return self.sight.scope.zone


def filter_of(here: Here, catalogue: Catalogue | None, asked: CustomerFilter, sort: Sort | None = None) -> Filter:
    """The list asked for, read against `catalogue_for` it. Raises Invalid with everything that is wrong."""
    since, until = span(asked.created_from, asked.created_to, here.zone)
    wanted = Filter(
        search=asked.search,
        address=asked.address,
        owner_ids=(asked.owner_id,) if asked.owner_id else (),
        pool_ids=(asked.pool_id,) if asked.pool_id else (),
        created_from=since,
        created_until=until,
        sort=sort or default_sort(asked.view),
    )
    return narrowed(here, catalogue, wanted, _texts(asked), asked.conditions.asked(), asked.view)


def default_sort(view: ListView) -> Sort:
    """Newest first (A-29); recently updated ones by their last change (A-11)."""
    return Sort.LAST_UPDATED if view is ListView.RECENTLY_UPDATED else Sort.NEWEST


def narrowed(
    here: Here,
    catalogue: Catalogue | None,
    wanted: Filter,
    texts: Mapping[str, str],
    asked: Sequence[Asked],
    view: ListView,
) -> Filter:
    """`wanted` narrowed by options, as texts, by conditions, and to a view. Raises Invalid with everything wrong."""
    if catalogue is not None:
        options, problems = option_conditions(texts, catalogue.reference)
        conditions, wrong = read_conditions(asked, catalogue)
        errors = [problem.error() for problem in problems] + wrong
        if errors:
            raise invalid(*errors)
        wanted = with_conditions(wanted, (*options, *conditions), here.zone)
    return with_view(wanted, view, here.sight.scope.member_id, here.moment, here.zone)


def catalogue_for(session: Session, here: Here, *filters: CustomerFilter) -> Catalogue | None:
    """What these filters are read against; None: there is nothing to look up in them."""
    asked = [one for given in filters for one in given.conditions.asked()]
    return load_catalogue(session, here, asked) if asked or any(map(_texts, filters)) else None


def load_catalogue(session: Session, here: Here, asked: Sequence[Asked]) -> Catalogue:
    """Options and regions; custom fields and tags only where some are asked for."""
    names = {one.field for one in asked}
    fields = custom_fields(session, here.sight.scope) if any(name.startswith("custom.") for name in names) else ()
    filterable = [field for field in fields if field.filterable]
    return Catalogue(
        load_reference(session, here.mobile_pattern),
        day_of(here.moment, here.zone),
        {field.key: field.rule() for field in filterable},
        frozenset(f"custom.{field.key}" for field in filterable if field.indexed),
        frozenset(session.scalars(select(Tag.id))) if "tags" in names else frozenset(),
    )


def _texts(asked: CustomerFilter) -> dict[str, str]:
    return {name: str(getattr(asked, name)) for name in EXACT if getattr(asked, name) is not None}
