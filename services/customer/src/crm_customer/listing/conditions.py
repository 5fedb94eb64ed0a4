"""What a list is asked for, as conditions on customers."""

from operator import eq, ge, lt
from typing import Any

from sqlalchemy import BindParameter, bindparam

from crm_customer.customers.model import Customer
from crm_customer.customers.queries import Condition, Sight
from crm_customer.listing.rules import Filter
from crm_customer.listing.texts import met, texts


def alive(wanted: Filter) -> Condition:
    """In the recycle bin, if that is asked for; else not."""
    return Customer.deleted_at.is_not(None) if wanted.deleted else Customer.deleted_at.is_(None)


def conditions(sight: Sight, wanted: Filter, *, frequent: bool = False) -> list[Condition]:
    """What is asked for; `frequent`: texts are looked up for each customer met, instead of found by their index."""
    found: list[Any] = [alive(wanted)]
    found += [getattr(Customer, name) == _value(name, name, value) for name, value in wanted.exact]
    if wanted.owner_left:
        found.append(Customer.owner_left)
    for name, field, compare in (
        ("owner_id", "owner_id", eq),
        ("pool_id", "pool_id", eq),
        ("created_from", "created_at", ge),
        # Nothing changes before it is created: a walk in the order of changes ends there.
        ("created_from", "updated_at", ge),
        ("created_until", "created_at", lt),
        ("updated_from", "updated_at", ge),
    ):
        if (value := getattr(wanted, name)) is not None:
            found.append(compare(getattr(Customer, field), _value(name, field, value)))
    if frequent:
        return found + met(sight, wanted)
    return found + [Customer.id.in_(text) for text in texts(sight, wanted)]


def _value(name: str, column: str, value: Any) -> BindParameter[Any]:
    return bindparam(f"wanted_{name}", value, getattr(Customer, column).type)
