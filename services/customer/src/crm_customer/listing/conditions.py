"""What a list is asked for, as conditions on customers."""

from operator import ge, lt
from typing import Any

from sqlalchemy import BindParameter, Uuid, and_, any_, bindparam, func, select, tuple_

from crm_customer.customers.model import Customer
from crm_customer.customers.sight import Condition, Sight, one_of
from crm_customer.listing.around import around, is_around
from crm_customer.listing.matching import found_by, matches
from crm_customer.listing.rules import Filter
from crm_customer.listing.texts import met, texts


def alive(wanted: Filter) -> Condition:
    """In the recycle bin, if that is asked for, where nothing is that has become a part of another; else not."""
    if wanted.deleted:
        return and_(Customer.deleted_at.is_not(None), Customer.merged_into.is_(None))
    return Customer.deleted_at.is_(None)


def conditions(sight: Sight, wanted: Filter, *, frequent: bool = False) -> list[Condition]:
    """What is asked for; `frequent`: whatever has an index of its own is looked up for each customer met, instead."""
    found: list[Any] = [alive(wanted), *_marked(wanted)]
    if wanted.owner_ids:
        found.append(one_of(Customer.owner_id, wanted.owner_ids, "wanted_owner_ids"))
    if wanted.pool_ids:
        found.append(one_of(Customer.pool_id, wanted.pool_ids, "wanted_pool_ids"))
    for name, field, compare in (
        ("created_from", "created_at", ge),
        # Nothing changes before it is created: a walk in the order of changes ends there, one of creation begins there.
        ("created_from", "updated_at", ge),
        ("created_until", "created_at", lt),
        ("updated_from", "updated_at", ge),
        ("updated_until", "updated_at", lt),
        ("updated_until", "created_at", lt),
    ):
        if (value := getattr(wanted, name)) is not None:
            found.append(compare(getattr(Customer, field), _value(name, field, value)))
    for place, condition in enumerate(wanted.conditions):
        if frequent or not condition.lies_elsewhere:
            found.append(matches(condition, f"wanted_{place}", walked=frequent))
    found.append(sight.shows(*_compared(wanted)))
    if wanted.after:
        found.append(_beyond(wanted))
    if frequent:
        return found + met(sight, wanted) + ([is_around(sight, wanted.among)] if wanted.among else [])
    return found + [_among(ids) for ids in _elsewhere(sight, wanted)] + _gathered(sight, wanted)


def _marked(wanted: Filter) -> list[Condition]:
    """Views of customers that bear a mark."""
    return [getattr(Customer, mark) for mark in ("owner_left", "recycled", "won") if getattr(wanted, mark)]


def _compared(wanted: Filter) -> list[str]:
    """The fields that conditions tell of, all of which must be shown: numbers and nicknames are one of several ways."""
    return [condition.field for condition in wanted.conditions] + ["address"] * bool(wanted.address)


def _among(ids: Any) -> Condition:
    """Customers that another table finds, looked up once: on a table it knows little of, PostgreSQL would look for each
    customer again.
    """
    (found,) = ids.cte().prefix_with("MATERIALIZED", dialect="postgresql").c
    return Customer.id.in_(select(found))


def _gathered(sight: Sight, wanted: Filter) -> list[Condition]:
    """Customers of a view around them, found first: PostgreSQL cannot know how few, and would rather read all."""
    if wanted.among is None:
        return []
    return [Customer.id == any_(func.array(around(sight, wanted.among).scalar_subquery()))]


def _beyond(wanted: Filter) -> Condition:
    """Rows after one of the order's."""
    column, descends = wanted.order
    here = tuple_(getattr(Customer, column), Customer.id)
    at = tuple_(bindparam("after_at", type_=Customer.created_at.type), bindparam("after_id", type_=Uuid))
    return here < at if descends else here > at


def indexed(sight: Sight, wanted: Filter) -> list[Any]:
    """For each part of what is asked for that has an index of its own: the customers found by it."""
    found = _elsewhere(sight, wanted)
    for place, condition in enumerate(wanted.conditions):
        # Indexes of custom fields do not hold the recycle bin.
        if condition.indexed and not condition.lies_elsewhere and not wanted.deleted:
            found.append(select(Customer.id).where(alive(wanted), matches(condition, f"wanted_{place}")))
    return found


def _elsewhere(sight: Sight, wanted: Filter) -> list[Any]:
    """For each part of what is asked for that has an index on another table: the customers found by it."""
    found = texts(sight, wanted)
    found += [
        found_by(condition, f"wanted_{place}")
        for place, condition in enumerate(wanted.conditions)
        if condition.lies_elsewhere
    ]
    return found


def _value(name: str, column: str, value: Any) -> BindParameter[Any]:
    return bindparam(f"wanted_{name}", value, getattr(Customer, column).type)
