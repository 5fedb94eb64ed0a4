"""Keeping the search tables in step with customers and contacts, set-wise, in their transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Table, text
from sqlalchemy.orm import Session

from crm_customer.database import Copy, Id, copy_of
from crm_customer.matching.names import read
from crm_customer.search.model import ContactSearch, CustomerSearch
from crm_customer.search.rules import all_normalised, grams_of, initials, normalised, pairs

_TABLE: Table = CustomerSearch.__table__  # type: ignore[assignment]
_CONTACTS: Table = ContactSearch.__table__  # type: ignore[assignment]

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
    FROM unnest(CAST(:contact_id AS uuid[]), CAST(:name AS text[]), CAST(:grams AS text[])) AS given (contact_id, name, grams)
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


def search_copy(ids: Sequence[Id], names: Sequence[str], addresses: Sequence[str], nicknames: Sequence[str]) -> Copy:
    """What makes new customers findable."""
    columns = _columns(ids, names, addresses, nicknames)
    return copy_of(_TABLE, columns | {"grams": _as_arrays(columns["grams"])})


def keep_in_search(session: Session, customers: Sequence[Searchable]) -> None:
    """Take over names, addresses and nicknames that may have changed, with one statement."""
    if customers:
        parts = ("customer_id", "name", "address", "nickname")
        session.execute(_KEEP, _columns(*([getattr(one, part) for one in customers] for part in parts)))


def keep_aliases(session: Session, aliases: Mapping[Id, Sequence[str]]) -> None:
    """Let customers be found by exactly these other names (G-03), with two statements; without any, with one."""
    if not aliases:
        return
    session.execute(_FORGET_ALIASES, {"ids": list(aliases)})
    rows = [(id_, normalised(name), read(name).core) for id_, names in aliases.items() for name in names]
    if rows:
        given = zip(("customer_id", "name", "core"), map(list, zip(*rows, strict=True)), strict=True)
        session.execute(_KEEP_ALIASES, dict(given))


def contact_search_copy(ids: Sequence[Id], names: Sequence[str]) -> Copy:
    """What makes new contacts findable by their names."""
    columns = _contact_columns(ids, names)
    return copy_of(_CONTACTS, columns | {"grams": _as_arrays(columns["grams"])})


def keep_contacts_in_search(session: Session, names: Mapping[UUID, str]) -> None:
    """Take over names of contacts that may have changed, with one statement."""
    if names:
        session.execute(_KEEP_CONTACTS, _contact_columns([*names], [*names.values()]))


def _as_arrays(grams: Sequence[str]) -> list[str]:
    """Grams, each on a line, as COPY reads arrays; a NUL is in none of them."""
    escaped = "\0".join(grams).replace("\\", "\\\\").replace('"', '\\"').replace("\n", '","')
    return [f'{{"{some}"}}' if some else "{}" for some in escaped.split("\0")] if grams else []


def _columns(
    ids: Sequence[Id], names: Sequence[str], addresses: Sequence[str], nicknames: Sequence[str]
) -> dict[str, list[Any]]:
    """Columns of customer_search; grams each on a line."""
    texts = [*map(all_normalised, (names, addresses, nicknames))]
    letters, found = [*map(initials, texts[0])], [*map(read, names)]
    return {
        "customer_id": [*ids],
        **dict(zip(("name", "address", "nickname"), texts, strict=True)),
        "initials": letters,
        **{part: [getattr(one, part) for one in found] for part in ("core", "region", "branch")},
        "grams": [*map(grams_of, *texts, letters)],
    }


def _contact_columns(ids: Sequence[Id], names: Sequence[str]) -> dict[str, list[Any]]:
    found = all_normalised(names)
    return {"contact_id": [*ids], "name": found, "grams": ["\n".join(pairs(name)) for name in found]}
