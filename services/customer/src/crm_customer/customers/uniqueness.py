"""Values that no two customers may share, where administrators say so (G-04, decision 0032).

Whoever writes one holds the lock that imports match under, from before any row is locked: of two at once the second sees
what the first has written.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Text, any_, literal, select
from sqlalchemy.orm import Session

from chassis.database import lock
from chassis.errors import Conflict, FieldError
from crm_customer.configuration import settings_of
from crm_customer.contacts.model import Contact, CustomerContact
from crm_customer.customers.model import Customer
from crm_customer.duplicate_settings.model import DuplicateSettings
from crm_customer.duplicate_settings.rules import MOBILE, NAME, UNIQUE_FIELDS
from crm_customer.profiles.model import CustomerProfile
from crm_customer.search.model import CustomerSearch
from crm_customer.search.rules import normalised

Value = tuple[str, str]  # a field and a clean value of it


def unique_fields(session: Session) -> frozenset[str]:
    """Fields that no two customers may share at this moment."""
    return frozenset(settings_of(session, DuplicateSettings).unique_fields)


def hold_unique(session: Session, fields: Iterable[str]) -> frozenset[str]:
    """Those of the fields that must be unique; if there are any, nobody else writes such until the transaction ends."""
    given = frozenset(UNIQUE_FIELDS).intersection(fields)
    found = given & unique_fields(session) if given else given
    if found:
        lock(session, "customer-matching")
    return found


def require_unique(session: Session, values: Mapping[str, Any], own: Collection[UUID] = ()) -> None:
    """Raise Conflict not_unique, with each field, when another customer than `own` has one of the values."""
    given = {(name, str(value)) for name, value in values.items() if value}
    _refuse(name for (name, _), found in holders(session, given).items() if not found <= set(own))


def require_unique_mobile(session: Session, mobile: str | None, own: Collection[UUID]) -> None:
    """The same of a contact's number, which its own form calls mobile."""
    if mobile and not holders(session, [(MOBILE, mobile)])[MOBILE, mobile] <= set(own):
        _refuse(["mobile"])


def _refuse(shared: Iterable[str]) -> None:
    errors = [FieldError("/" + name.replace(".", "/"), "not_unique") for name in sorted(shared)]
    if errors:
        raise Conflict("not_unique", errors=errors)


def holders(session: Session, values: Collection[Value]) -> dict[Value, set[UUID]]:
    """Customers, not deleted ones, that have each of the values; a statement for each field."""
    found: dict[Value, set[UUID]] = {value: set() for value in values}
    for name in {name for name, _ in values}:
        keys = {value: normalised(value[1]) if name == NAME else value[1] for value in found if value[0] == name}
        having: dict[str, set[UUID]] = {}
        for key, customer_id in session.execute(_having(name, sorted(set(keys.values())))):
            having.setdefault(key, set()).add(customer_id)
        found |= {value: having.get(key, set()) for value, key in keys.items()}
    return found


def _having(name: str, keys: list[str]) -> Any:
    wanted = any_(literal(keys, ARRAY(Text)))
    held: Any
    if name == NAME:
        held = select(CustomerSearch.name, Customer.id).join(Customer, Customer.id == CustomerSearch.customer_id)
        held = held.where(CustomerSearch.name == wanted)
    elif name == MOBILE:
        held = select(Contact.mobile, Customer.id).join(CustomerContact, CustomerContact.contact_id == Contact.id)
        held = held.join(Customer, Customer.id == CustomerContact.customer_id)
        held = held.where(Contact.mobile == wanted, Contact.deleted_at.is_(None))
    else:
        held = select(CustomerProfile.credit_code, Customer.id)
        held = held.join(Customer, Customer.id == CustomerProfile.customer_id)
        held = held.where(CustomerProfile.credit_code == wanted)
    return held.where(Customer.deleted_at.is_(None))
