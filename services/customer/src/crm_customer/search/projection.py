"""Keeping the search tables in step with customers and contacts, set-wise, in their transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Table, text
from sqlalchemy.orm import Session

from crm_customer.database import Id, copy_rows
from crm_customer.matching.names import read
from crm_customer.search.model import ContactSearch, CustomerSearch
from crm_customer.search.rules import grams_of, initials, normalised, pairs

_TABLE: Table = CustomerSearch.__table__  # type: ignore[assignment]
_CONTACTS: Table = ContactSearch.__table__  # type: ignore[assignment]
_COLUMNS = ("customer_id", "name", "address", "nickname", "initials", "core", "region", "branch", "grams")

# Grams travel as one text for each customer: an array of arrays would be flattened.
_KEEP = text("""
    INSERT INTO customer_search (customer_id, name, address, nickname, initials, core, region, branch, grams)
    SELECT given.customer_id, given.name, given.address, given.nickname, given.initials, given.core, given.region,
        given.branch, string_to_array(given.grams, E'\\n')
    FROM unnest(CAST(:customer_id AS uuid[]), CAST(:name AS text[]), CAST(:address AS text[]),
        CAST(:nickname AS text[]), CAST(:initials AS text[]), CAST(:core AS text[]), CAST(:region AS text[]),
        CAST(:branch AS text[]), CAST(:grams AS text[]))
        AS given (customer_id, name, address, nickname, initials, core, region, branch, grams)
    ORDER BY given.customer_id
    ON CONFLICT (customer_id) DO UPDATE SET name = excluded.name, address = excluded.address,
        nickname = excluded.nickname, initials = excluded.initials, core = excluded.core, region = excluded.region,
        branch = excluded.branch, grams = excluded.grams
""")
_FORGET_ALIASES = text("DELETE FROM customer_aliases WHERE customer_id = ANY(CAST(:ids AS uuid[]))")
_KEEP_ALIASES = text("""
    INSERT INTO customer_aliases (customer_id, name, core)
    SELECT given.customer_id, given.name, given.core
    FROM unnest(CAST(:customer_id AS uuid[]), CAST(:name AS text[]), CAST(:core AS text[])) AS given (customer_id, name, core)
    ORDER BY given.customer_id, given.name
""")
_KEEP_CONTACTS = text("""
    INSERT INTO contact_search (contact_id, name, grams)
    SELECT given.contact_id, given.name, string_to_array(given.grams, E'\\n')
    FROM unnest(CAST(:ids AS uuid[]), CAST(:names AS text[]), CAST(:grams AS text[])) AS given (contact_id, name, grams)
    ORDER BY given.contact_id
    ON CONFLICT (contact_id) DO UPDATE SET name = excluded.name, grams = excluded.grams
""")


@dataclass(frozen=True)
class Searchable:
    """What can be searched of a customer. `address` is written out in words."""

    customer_id: Id
    name: str
    address: str
    nickname: str = ""


def add_to_search(session: Session, customers: Sequence[Searchable]) -> None:
    """Make new customers findable, with one COPY."""
    rows = map(_row, customers)
    copy_rows(session, _TABLE, _COLUMNS, ((*row[:-1], _as_array(row[-1])) for row in rows))


def keep_in_search(session: Session, customers: Sequence[Searchable]) -> None:
    """Take over names, addresses and nicknames that may have changed, with one statement."""
    if customers:
        given: dict[str, list[Any]] = dict(
            zip(_COLUMNS, map(list, zip(*map(_row, customers), strict=True)), strict=True)
        )
        session.execute(_KEEP, given | {"grams": ["\n".join(grams) for grams in given["grams"]]})


def keep_aliases(session: Session, aliases: Mapping[Id, Sequence[str]]) -> None:
    """Let customers be found by exactly these other names (G-03), with two statements; without any, with one."""
    if not aliases:
        return
    session.execute(_FORGET_ALIASES, {"ids": list(aliases)})
    rows = [(id_, normalised(name), read(name).core) for id_, names in aliases.items() for name in names]
    if rows:
        given = zip(("customer_id", "name", "core"), map(list, zip(*rows, strict=True)), strict=True)
        session.execute(_KEEP_ALIASES, dict(given))


def add_contacts_to_search(session: Session, names: Mapping[Id, str]) -> None:
    """Make new contacts findable by their names, with one COPY."""
    rows = map(_contact_row, names.items())
    copy_rows(session, _CONTACTS, ("contact_id", "name", "grams"), ((*row[:-1], _as_array(row[-1])) for row in rows))


def keep_contacts_in_search(session: Session, names: Mapping[UUID, str]) -> None:
    """Take over names of contacts that may have changed, with one statement."""
    if names:
        ids, found, grams = zip(*map(_contact_row, names.items()), strict=True)
        given = {"ids": list(ids), "names": list(found), "grams": ["\n".join(some) for some in grams]}
        session.execute(_KEEP_CONTACTS, given)


def _as_array(grams: Sequence[str]) -> str:
    """An array as COPY reads it: the driver would look at each of its thousand pairs alone."""
    if not grams:
        return "{}"
    escaped = "\n".join(grams).replace("\\", "\\\\").replace('"', '\\"')
    return '{"' + escaped.replace("\n", '","') + '"}'


def _row(customer: Searchable) -> tuple[Any, ...]:
    name, address, nickname = map(normalised, (customer.name, customer.address, customer.nickname))
    letters, found = initials(name), read(customer.name)
    grams = grams_of(name, address, nickname, letters)
    return customer.customer_id, name, address, nickname, letters, found.core, found.region, found.branch, grams


def _contact_row(contact: tuple[Id, str]) -> tuple[Id, str, list[str]]:
    name = normalised(contact[1])
    return contact[0], name, pairs(name)
