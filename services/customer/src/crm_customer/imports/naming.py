"""Customers that rows of contacts and of follow-ups name (D-32, D-33)."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.errors import Refusal
from crm_customer.batches.commands import require_workable
from crm_customer.customers.model import Customer
from crm_customer.customers.rules import Problem
from crm_customer.customers.sight import Sight, one_of
from crm_customer.imports.queries import holders
from crm_customer.imports.rules import ID, MOBILE, NAME
from crm_customer.search.rules import normalised

CUSTOMER = "customer"
Key = Callable[[str], str | None]


class NamesCustomer(Protocol):
    """A row that names its customer in a text."""

    customer: str
    customer_id: UUID | None
    problems: list[Problem]


def settle_customers(
    session: Session, sight: Sight, rows: Sequence[NamesCustomer], *, lock: bool, mobile: Key = lambda _: None
) -> dict[UUID, Customer]:
    """Find the customer that each row names, by its id, else its exact name, else what `mobile` makes of the text: a number
    of one of its contacts. Those that may be worked on, by id; of the others the row says why not, and out of sight is not
    found. `lock` them for a change, in id order.
    """
    named = _named(session, sight, {row.customer for row in rows if row.customer}, lock=lock, mobile=mobile)
    customers = {}
    for row in rows:
        meant = named.get(row.customer)
        if isinstance(meant, Problem):
            row.problems.append(meant)
        elif meant is not None:
            row.customer_id = meant.id
            customers[meant.id] = meant
    return customers


def _named(
    session: Session, sight: Sight, texts: Collection[str], *, lock: bool, mobile: Key
) -> dict[str, Customer | Problem]:
    found: dict[str, list[UUID]] = {}
    ways: tuple[tuple[str, Key], ...] = ((ID, _id), (NAME, normalised), (MOBILE, mobile))
    for field, key in ways:
        keys = {text: value for text in texts if text not in found and (value := key(text))}
        for value, ids in _holding(session, sight, field, set(keys.values())).items():
            found |= {text: ids for text, one in keys.items() if one == value}
    customers = _read(session, sight, {ids[0] for ids in found.values() if len(ids) == 1}, lock=lock)
    return {text: _meant(sight, text, found.get(text, ()), customers) for text in texts}


def _holding(session: Session, sight: Sight, field: str, values: Collection[str]) -> Mapping[str, list[UUID]]:
    """Customers that the member sees by each value."""
    found: dict[str, list[UUID]] = {}
    if values:
        for value, customer_id, _, visible in session.execute(holders(field, sorted(values), sight, sight.condition())):
            known = found.setdefault(str(value), []) if visible else []
            known += [] if customer_id in known else [customer_id]
    return found


def _read(session: Session, sight: Sight, ids: Iterable[UUID], *, lock: bool) -> Mapping[UUID, tuple[Customer, bool]]:
    mine = (one_of(Customer.id, sorted(ids)), Customer.deleted_at.is_(None), sight.condition())
    found = select(Customer, sight.writable()).where(*mine).order_by(Customer.id)
    if lock:
        found = found.with_for_update(key_share=True, of=Customer)
    rows = session.execute(found, execution_options={"populate_existing": True})
    return {customer.id: (customer, bool(writable)) for customer, writable in rows}


def _meant(
    sight: Sight, text: str, ids: Collection[UUID], customers: Mapping[UUID, tuple[Customer, bool]]
) -> Customer | Problem:
    if len(ids) > 1:
        return Problem(CUSTOMER, "ambiguous_customer", text)
    known = next((customers[id_] for id_ in ids if id_ in customers), None)
    if known is None:
        return Problem(CUSTOMER, "customer_not_found", text)
    try:
        require_workable(sight, *known)
    except Refusal as refusal:
        return Problem(CUSTOMER, refusal.code, text)
    return known[0]


def _id(text: str) -> str | None:
    try:
        return str(UUID(text))
    except ValueError:
        return None
