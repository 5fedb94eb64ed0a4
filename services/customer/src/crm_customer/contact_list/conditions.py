"""What the list of contacts is asked for, and whom it shows, as conditions on contacts."""

from operator import eq, ge, lt
from typing import Any

from sqlalchemy import ScalarSelect, Select, and_, exists, false, func, literal, or_, select, true, tuple_, union_all
from sqlalchemy.orm import aliased

from crm_customer.contact_list.rules import ContactConditions, Days
from crm_customer.contacts.model import Contact, CustomerContact, day_of_year
from crm_customer.customers.model import Customer
from crm_customer.customers.sight import Condition, Sight
from crm_customer.listing.texts import NUMBERS, contact_numbered
from crm_customer.people.queries import owned
from crm_customer.search.model import ContactSearch
from crm_customer.search.rules import bigrams, normalised, number_in

# The fields that a condition tells of.
_COMPARED = {
    "name": ("contact.name",),
    "phone": NUMBERS,
    "position": ("contact.position",),
    "salutation": ("contact.salutation",),
    "birthdays": ("contact.birthday",),
}


def alive(wanted: ContactConditions) -> Condition:
    """In the recycle bin, if that is asked for; else not."""
    return Contact.deleted_at.is_not(None) if wanted.deleted else Contact.deleted_at.is_(None)


def asked(sight: Sight, wanted: ContactConditions, *, frequent: bool = False) -> list[Condition]:
    """What is asked for; `frequent`: names are looked up for each contact met, instead of found by their index."""
    found: list[Any] = [alive(wanted)]
    for value, column, compare in (
        (wanted.owner_id, Contact.owner_id, eq),
        (wanted.created_from, Contact.created_at, ge),
        # Nothing changes before it is created: a walk in the order of changes ends there.
        (wanted.created_from, Contact.updated_at, ge),
        (wanted.created_until, Contact.created_at, lt),
        (wanted.updated_from, Contact.updated_at, ge),
        (wanted.salutation, Contact.salutation, eq),
    ):
        if value:
            found.append(compare(column, value))
    if wanted.after:
        found.append(tuple_(getattr(Contact, wanted.moment), Contact.id) < tuple_(*map(literal, wanted.after)))
    if wanted.position:
        found.append(func.strpos(func.lower(Contact.position), wanted.position.lower()) > 0)
    if wanted.customer_id:
        found.append(Contact.id.in_(ways(sight).where(Customer.id == wanted.customer_id)))
    if wanted.birthdays:
        found.append(_born(wanted.birthdays))
    if wanted.phone:
        number = number_in(wanted.phone)
        found.append(contact_numbered(number) if number else false())
    if wanted.name:
        found.append(_named_here(wanted.name) if frequent else Contact.id.in_(named(wanted.name)))
    compared = [field for name, fields in _COMPARED.items() if getattr(wanted, name) for field in fields]
    return [*found, shown(sight, *compared)]


def named(name: str) -> Select[Any]:
    """Contacts with `name` in their names; a single character counts as the beginning."""
    wanted = normalised(name)
    found = select(ContactSearch.contact_id)
    if len(wanted) > 1:
        found = found.where(ContactSearch.grams.contains(sorted(bigrams(wanted))))
    return found if len(wanted) == 2 else found.where(_holds(wanted))


def ways(sight: Sight) -> Select[Any]:
    """The contacts of the customers that the member sees."""
    found = select(CustomerContact.contact_id).join(Customer, Customer.id == CustomerContact.customer_id)
    return found.where(Customer.deleted_at.is_(None), sight.condition())


def shown(sight: Sight, *fields: str) -> Condition:
    """Whether of a contact all these fields may be read: it is the member's own, or a way to it hides none of them."""
    if not sight.hides(*fields):
        return true()
    return or_(owned(sight), _met(sight, sight.shows(*fields)), *_alone(sight))


def listed(sight: Sight) -> Condition:
    """Whether the contact just met is listed: the member's own, of a customer seen, or of none for who sees the company.

    In a pool, as long as nobody owns it: a contact that has an owner is on that owner's list.
    """
    unowned = () if sight.scope.company else (or_(Customer.pool_id.is_(None), Contact.owner_id.is_(None)),)
    return or_(owned(sight), _met(sight, *unowned), *_alone(sight))


def listed_of_all(sight: Sight) -> Condition:
    """The same for many contacts at once."""
    other = aliased(Contact)
    mine = select(other.id).where(other.owner_id == sight.scope.member_id)
    if sight.scope.company:
        linked = exists().where(CustomerContact.contact_id == other.id)
        return Contact.id.in_(union_all(mine, ways(sight), select(other.id).where(~linked)))
    unowned = ways(sight).join(other, other.id == CustomerContact.contact_id).where(other.owner_id.is_(None))
    elsewhere, pooled = ways(sight).where(Customer.pool_id.is_(None)), unowned.where(Customer.pool_id.is_not(None))
    return Contact.id.in_(union_all(mine, elsewhere, pooled))


def _met(sight: Sight, *conditions: Condition) -> Condition:
    """Whether the contact just met has such a customer: a sub-select with a limit, which PostgreSQL asks for each one."""
    found = ways(sight).where(CustomerContact.contact_id == Contact.id, *conditions)
    return _asked_here(found.with_only_columns(literal(value=True))).is_(other=True)


def _alone(sight: Sight) -> list[Condition]:
    linked = select(literal(value=True)).where(CustomerContact.contact_id == Contact.id)
    return [_asked_here(linked).is_(None)] if sight.scope.company else []


def _named_here(name: str) -> Condition:
    found = select(literal(value=True)).where(ContactSearch.contact_id == Contact.id, _holds(normalised(name)))
    return _asked_here(found).is_(other=True)


def _asked_here(found: Select[Any]) -> ScalarSelect[Any]:
    return found.limit(1).correlate(Contact).scalar_subquery()


def _holds(wanted: str) -> Condition:
    if len(wanted) < 2:
        return ContactSearch.name.startswith(wanted, autoescape=True)
    return func.strpos(ContactSearch.name, wanted) > 0


def _born(days: Days) -> Condition:
    """One index scan a part: before and after New Year, and by the lunar calendar."""
    day = day_of_year()
    over_new_year = [day >= days.first, day <= days.last]
    parts = [day.between(days.first, days.last)] if days.first <= days.last else over_new_year
    solar = [Contact.birthday.is_not(None)]
    if days.lunar is None:
        return or_(*(and_(*solar, part) for part in parts))
    solar.append(Contact.lunar_birthday.is_(None))
    lunar = Contact.lunar_birthday.in_([birthday for birthday, _ in days.lunar])
    return or_(*(and_(*solar, part) for part in parts), lunar)
