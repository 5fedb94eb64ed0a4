"""What is looked for by text: names, nicknames, initials, addresses and numbers, as conditions on customers.

Each text has two forms: the customers that hold it, out of an index, and whether the customer just met holds it.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, literal, or_, select, true, union_all

from crm_customer.contacts.model import Contact, CustomerContact, phone_digits
from crm_customer.customers.model import Customer
from crm_customer.customers.sight import Condition, Sight
from crm_customer.listing.rules import Filter
from crm_customer.search.model import CustomerSearch
from crm_customer.search.rules import (
    ADDRESS,
    are_initials,
    bigrams,
    initial_grams,
    initials_pattern,
    normalised,
    number_in,
)

_SHORTEST_ENDING = 4
NUMBERS = ("contact.mobile", "contact.phone")
_NICKNAME = "wechat_nickname"


def texts(sight: Sight, wanted: Filter) -> list[Any]:
    """For each text asked for: the customers that hold it, out of the text's index."""
    found: list[Any] = []
    if wanted.search:
        named, numbered = named_like(sight, wanted.search), _numbered(sight, wanted.search)
        found.append(named if numbered is None else union_all(named, numbered))
    if wanted.address:
        found.append(containing(CustomerSearch.address, normalised(wanted.address), ADDRESS))
    return found


def met(sight: Sight, wanted: Filter) -> list[Condition]:
    """The same for the customer just met: a sub-select with a limit, which PostgreSQL asks for each one."""
    found: list[Any] = []
    if wanted.search:
        search, number = normalised(wanted.search), number_in(wanted.search)
        holds = of_this(CustomerSearch.customer_id, or_(*_named(search, sight.shows(_NICKNAME))))
        if number:
            numbered = of_this(
                CustomerContact.customer_id, CustomerContact.contact_id == Contact.id, *_has_number(number)
            )
            holds = or_(holds, and_(sight.shows(*NUMBERS), numbered))
        found.append(holds)
    if wanted.address:
        found.append(of_this(CustomerSearch.customer_id, has(CustomerSearch.address, normalised(wanted.address))))
    return found


def named_like(sight: Sight, search: str) -> Select[UUID]:
    """Customers with a text in the name or, where it is shown, the WeChat nickname (I-05), or in the initials."""
    wanted = normalised(search)
    shown: Condition = true()
    if len(wanted) == 2 and not sight.hides(_NICKNAME):
        # The index holds pairs: nothing is left to compare, which takes ten times as long as finding them.
        pairs = bigrams(wanted) | (initial_grams(wanted) if are_initials(wanted) else set())
        return select(CustomerSearch.customer_id).where(CustomerSearch.grams.overlap(sorted(pairs)))
    if sight.hides(_NICKNAME):
        here = select(literal(value=True)).where(Customer.id == CustomerSearch.customer_id, sight.shows(_NICKNAME))
        shown = here.limit(1).correlate(CustomerSearch).scalar_subquery().is_(other=True)
    in_name, in_nickname, *in_initials = _named(wanted, shown)
    if len(wanted) > 1:
        indexed = [_indexed(bigrams(wanted), or_(in_name, in_nickname))]
    else:
        indexed = [in_name, _indexed({wanted}, in_nickname)]
    indexed += [_indexed(initial_grams(wanted), condition) for condition in in_initials]
    return select(CustomerSearch.customer_id).where(or_(*indexed))


def containing(place: Any, wanted: str, mark: str) -> Select[UUID]:
    """Customers with a normalised text in one place; a single character counts as its beginning."""
    found = select(CustomerSearch.customer_id)
    if len(wanted) < 2:
        return found.where(has(place, wanted))
    return found.where(_indexed({mark + gram for gram in bigrams(wanted)}, has(place, wanted)))


def _named(wanted: str, shown: Condition) -> list[Condition]:
    """In the name, in the nickname where that is `shown`, in the initials if these are such."""
    found = [has(CustomerSearch.name, wanted), and_(has(CustomerSearch.nickname, wanted), shown)]
    if are_initials(wanted):
        found.append(CustomerSearch.initials.regexp_match(initials_pattern(wanted)))
    return found


def _indexed(grams: set[str], exactly: Condition) -> Condition:
    return and_(CustomerSearch.grams.contains(sorted(grams)), exactly)


def has(place: Any, wanted: str) -> Condition:
    """A text holds `wanted`; a single character counts only as its beginning, for the index knows pairs."""
    return place.startswith(wanted, autoescape=True) if len(wanted) < 2 else func.strpos(place, wanted) > 0


def of_this(customer_id: Any, *conditions: Condition) -> Condition:
    """Whether the customer just met is among these: a sub-select that PostgreSQL cannot turn into a join."""
    found = select(literal(value=True)).where(customer_id == Customer.id, *conditions).limit(1)
    return found.correlate(Customer).scalar_subquery().is_(other=True)


def _numbered(sight: Sight, search: str) -> Select[UUID] | None:
    """Customers of whose contacts one, where the member may read it, has such a number; None for what is no number."""
    number = number_in(search)
    if not number:
        return None
    # One look-up for each contact found, which are few, whatever PostgreSQL believes.
    linked = select(CustomerContact.customer_id).where(CustomerContact.contact_id == Contact.id)
    if sight.hides(*NUMBERS):
        linked = linked.join(Customer, Customer.id == CustomerContact.customer_id).where(sight.shows(*NUMBERS))
    of_these = linked.correlate(Contact).offset(0).lateral("numbered")
    return select(of_these.c.customer_id).select_from(Contact).join(of_these, true()).where(*_has_number(number))


def _has_number(number: str) -> list[Condition]:
    return [contact_numbered(number), Contact.deleted_at.is_(None)]


def contact_numbered(number: str) -> Condition:
    """A contact's mobile or phone number begins with `number` or, from four digits on, ends with it."""
    numbers: list[Any] = [Contact.mobile, phone_digits(Contact.phone)]
    found = [place.startswith(number, autoescape=True) for place in numbers]
    if len(number) >= _SHORTEST_ENDING:
        found += [func.reverse(place).startswith(number[::-1], autoescape=True) for place in numbers]
    return or_(*found)
