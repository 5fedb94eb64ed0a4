"""Whether what is asked for is rare: rare rows are collected by the index of a condition, of many some are met."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func, select, text, union_all
from sqlalchemy.orm import Session

from crm_customer.customers.model import Customer
from crm_customer.customers.queries import Sight
from crm_customer.listing.conditions import elsewhere
from crm_customer.listing.matching import compared
from crm_customer.listing.rules import Filter
from crm_customer.paging import explain

# A text decides by itself what is quick: a plan for any text would read tables.
_THIS_TEXT = text("SET LOCAL plan_cache_mode = force_custom_plan")


def is_rare(session: Session, sight: Sight, wanted: Filter, few: int) -> bool | None:
    """Whether one part of what is asked for finds fewer than `few` by its index; None: no part has one.

    What lies in other tables is counted besides: PostgreSQL takes the pairs of characters of one word to be chance.
    """
    there, here = elsewhere(sight, wanted), _in_customers(wanted)
    if not there and not here:
        return None
    session.execute(_THIS_TEXT)
    if any(_expected(session, found) < few and count(session, [found], few) < few for found in there):
        return True
    return any(_expected(session, found) < few for found in here)


def count(session: Session, statements: Sequence[Select[Any]], most: int) -> int:
    """How many rows the statements find together, each counted up to `most`."""
    counted = union_all(*(select(found.limit(most).subquery()) for found in statements)).subquery()
    return session.scalar(select(func.count()).select_from(counted)) or 0


def _in_customers(wanted: Filter) -> list[Select[Any]]:
    # Indexes of custom fields do not hold the recycle bin.
    return [
        select(Customer.id).where(compared(condition, f"wanted_{place}"))
        for place, condition in enumerate(wanted.conditions)
        if condition.indexed and not condition.lies_elsewhere and not wanted.deleted
    ]


def _expected(session: Session, found: Select[Any]) -> int:
    return int(explain(session, found)["Plan Rows"])
