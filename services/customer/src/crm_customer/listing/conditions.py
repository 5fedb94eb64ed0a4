"""What a list is asked for, as conditions on customers."""

from operator import eq, ge, lt
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, Select, and_, bindparam, func, literal, or_, select, union_all

from crm_customer.contacts.model import Contact, CustomerContact
from crm_customer.customers.model import Customer
from crm_customer.customers.queries import Condition, Sight
from crm_customer.listing.rules import Filter
from crm_customer.search.model import CustomerSearch
from crm_customer.search.rules import ADDRESS, bigrams, normalised

_SHORTEST_NUMBER = 3


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
        return found + _met(sight, wanted)
    return found + [Customer.id.in_(text) for text in texts(sight, wanted)]


def texts(sight: Sight, wanted: Filter) -> list[Any]:
    """For each text asked for: the customers that hold it, out of the text's index."""
    found: list[Any] = []
    if wanted.search:
        search = normalised(wanted.search)
        named = containing(CustomerSearch.name, search, "")
        found.append(union_all(named, _numbered(sight, search)) if is_number(search) else named)
    if wanted.address:
        found.append(containing(CustomerSearch.address, normalised(wanted.address), ADDRESS))
    return found


def _met(sight: Sight, wanted: Filter) -> list[Condition]:
    """The same for the customer just met: a sub-select with a limit, which PostgreSQL asks for each one."""
    found: list[Any] = []
    if wanted.search:
        search = normalised(wanted.search)
        met = _of_this(CustomerSearch.customer_id, _has(CustomerSearch.name, search))
        if is_number(search):
            number = _of_this(CustomerContact.customer_id, *_has_number(search))
            met = or_(met, and_(sight.shows_contact(), number))
        found.append(met)
    if wanted.address:
        found.append(_of_this(CustomerSearch.customer_id, _has(CustomerSearch.address, normalised(wanted.address))))
    return found


def _of_this(customer_id: Any, *conditions: Condition) -> Condition:
    found = select(literal(value=True)).where(customer_id == Customer.id, *conditions).limit(1)
    return found.correlate(Customer).scalar_subquery().is_(other=True)


def is_number(wanted: str) -> bool:
    """Whether a text may be the beginning of a mobile number."""
    return wanted.isascii() and wanted.isdigit() and len(wanted) >= _SHORTEST_NUMBER


def _numbered(sight: Sight, wanted: str) -> Select[UUID]:
    """Customers whose primary contact's mobile number, where the member may read it, begins with `wanted`."""
    found = select(CustomerContact.customer_id).join(Customer, Customer.id == CustomerContact.customer_id)
    return found.where(*_has_number(wanted), sight.shows_contact()).correlate(None)


def _has_number(wanted: str) -> list[Condition]:
    begins = Contact.mobile.startswith(wanted, autoescape=True)
    return [
        CustomerContact.is_primary.is_(other=True),
        CustomerContact.contact_id == Contact.id,
        begins,
        Contact.deleted_at.is_(None),
    ]


def _has(place: Any, wanted: str) -> Condition:
    """A text holds `wanted`; a single character counts only as its beginning, for the index knows pairs."""
    return place.startswith(wanted, autoescape=True) if len(wanted) < 2 else func.strpos(place, wanted) > 0


def containing(place: Any, wanted: str, mark: str) -> Select[UUID]:
    """Customers with `wanted` in a text."""
    found = select(CustomerSearch.customer_id)
    if len(wanted) > 1:
        found = found.where(CustomerSearch.grams.contains(sorted(mark + gram for gram in bigrams(wanted))))
    return found if len(wanted) == 2 else found.where(_has(place, wanted))


def _value(name: str, column: str, value: Any) -> BindParameter[Any]:
    return bindparam(f"wanted_{name}", value, getattr(Customer, column).type)
