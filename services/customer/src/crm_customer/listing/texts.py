"""What is looked for by text, as conditions on customers.

Each text has two forms: the customers that hold it, out of an index, and whether the customer just met holds it.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, literal, or_, select, union_all

from crm_customer.contacts.model import Contact, CustomerContact
from crm_customer.customers.model import Customer
from crm_customer.customers.queries import Condition, Sight
from crm_customer.listing.rules import Filter
from crm_customer.search.model import CustomerSearch
from crm_customer.search.rules import ADDRESS, bigrams, normalised

_SHORTEST_NUMBER = 3


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


def met(sight: Sight, wanted: Filter) -> list[Condition]:
    """The same for the customer just met: a sub-select with a limit, which PostgreSQL asks for each one."""
    found: list[Any] = []
    if wanted.search:
        search = normalised(wanted.search)
        holds = of_this(CustomerSearch.customer_id, has(CustomerSearch.name, search))
        if is_number(search):
            number = of_this(CustomerContact.customer_id, *_has_number(search))
            holds = or_(holds, and_(sight.shows_contact(), number))
        found.append(holds)
    if wanted.address:
        found.append(of_this(CustomerSearch.customer_id, has(CustomerSearch.address, normalised(wanted.address))))
    return found


def of_this(customer_id: Any, *conditions: Condition) -> Condition:
    """Whether the customer just met is among these: a sub-select that PostgreSQL cannot turn into a join."""
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


def has(place: Any, wanted: str) -> Condition:
    """A text holds `wanted`; a single character counts only as its beginning, for the index knows pairs."""
    return place.startswith(wanted, autoescape=True) if len(wanted) < 2 else func.strpos(place, wanted) > 0


def containing(place: Any, wanted: str, mark: str) -> Select[UUID]:
    """Customers with `wanted` in a text."""
    found = select(CustomerSearch.customer_id)
    if len(wanted) > 1:
        found = found.where(CustomerSearch.grams.contains(sorted(mark + gram for gram in bigrams(wanted))))
    return found if len(wanted) == 2 else found.where(has(place, wanted))
