"""How many customers PostgreSQL expects to meet a condition that has an index: few are collected, of many some are met."""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_customer.customers.model import Customer
from crm_customer.customers.queries import Sight
from crm_customer.listing.conditions import elsewhere
from crm_customer.listing.matching import compared
from crm_customer.listing.rules import Filter
from crm_customer.paging import explain


def fewest(session: Session, sight: Sight, wanted: Filter) -> int | None:
    """The least that any one part of what is asked for finds by its index; None: no part has one."""
    return min(_estimates(session, sight, wanted), default=None)


def _estimates(session: Session, sight: Sight, wanted: Filter) -> Iterator[int]:
    for found in elsewhere(sight, wanted):
        yield int(explain(session, found)["Plan Rows"])
    for place, condition in enumerate(wanted.conditions):
        # Indexes of custom fields do not hold the recycle bin.
        if condition.indexed and not condition.lies_elsewhere and not wanted.deleted:
            found = select(Customer.id).where(compared(condition, f"wanted_{place}"))
            yield int(explain(session, found)["Plan Rows"])
