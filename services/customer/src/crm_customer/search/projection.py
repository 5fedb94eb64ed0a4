"""Keeping the search table in step with customers, set-wise, in their transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Table, text
from sqlalchemy.orm import Session

from crm_customer.database import copy_rows
from crm_customer.search.model import CustomerSearch
from crm_customer.search.rules import grams_of, normalised

_TABLE: Table = CustomerSearch.__table__  # type: ignore[assignment]

# Grams travel as one text for each customer: an array of arrays would be flattened.
_KEEP = text("""
    INSERT INTO customer_search (customer_id, name, address, grams)
    SELECT given.customer_id, given.name, given.address, string_to_array(given.grams, E'\\n')
    FROM unnest(CAST(:ids AS uuid[]), CAST(:names AS text[]), CAST(:addresses AS text[]), CAST(:grams AS text[]))
        AS given (customer_id, name, address, grams)
    ORDER BY given.customer_id
    ON CONFLICT (customer_id) DO UPDATE SET name = excluded.name, address = excluded.address, grams = excluded.grams
""")


@dataclass(frozen=True)
class Searchable:
    """What can be searched of a customer. `address` is written out in words."""

    customer_id: UUID
    name: str
    address: str


def add_to_search(session: Session, customers: Sequence[Searchable]) -> None:
    """Make new customers findable, with one COPY."""
    copy_rows(session, _TABLE, ("customer_id", "name", "address", "grams"), map(_row, customers))


def keep_in_search(session: Session, customers: Sequence[Searchable]) -> None:
    """Take over names and addresses that may have changed, with one statement."""
    if customers:
        ids, names, addresses, grams = zip(*map(_row, customers), strict=True)
        session.execute(
            _KEEP,
            {
                "ids": list(ids),
                "names": list(names),
                "addresses": list(addresses),
                "grams": ["\n".join(found) for found in grams],
            },
        )


def _row(customer: Searchable) -> tuple[UUID, str, str, list[str]]:
    name, address = normalised(customer.name), normalised(customer.address)
    return customer.customer_id, name, address, grams_of(name, address)
