"""Records that rows of an import bring, written with COPY."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import Table
from sqlalchemy.orm import Session

from chassis.identifiers import new_id
from crm_customer.contacts.model import FORM_FIELDS, Contact, CustomerContact, columns_of
from crm_customer.database import Id, copy_rows
from crm_customer.dictionaries.rules import Regions
from crm_customer.imports.rules import Chunk
from crm_customer.search.projection import Searchable, add_contacts_to_search

CONTACTS: Table = Contact.__table__  # type: ignore[assignment]
LINKS: Table = CustomerContact.__table__  # type: ignore[assignment]
_BLANK = dict.fromkeys(FORM_FIELDS)


def new_contact(
    customer_id: Id, customer_name: str, owner_id: Id | None, values: Mapping[str, Any], contact_id: Id | None = None
) -> dict[str, Any]:
    """The contact that a row brings, named after its customer unless it has a name (A-53)."""
    return {
        **columns_of({**_BLANK, **values}),
        "id": contact_id or str(new_id()),
        "customer_id": customer_id,
        "owner_id": owner_id,
        "name": values.get("name") or customer_name,
    }


def copy_contacts(session: Session, chunk: Chunk, contacts: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """New contacts, each the primary one of its customer, findable by their names."""
    add_contacts(session, chunk, contacts, {one["id"] for one in contacts}, now)


def add_contacts(
    session: Session, chunk: Chunk, contacts: Sequence[Mapping[str, Any]], primary: Collection[Id], now: datetime
) -> None:
    """New contacts, each linked with its customer, findable by their names; `primary`: ids of primary contacts."""
    links = [
        {"customer_id": one["customer_id"], "contact_id": one["id"], "is_primary": one["id"] in primary}
        for one in contacts
    ]
    copy(session, CONTACTS, contacts, version=1, created_by=chunk.actor_id, created_at=now, updated_at=now)
    copy(session, LINKS, links)
    if contacts:
        add_contacts_to_search(session, {one["id"]: one["name"] for one in contacts})


def searchable(regions: Regions, customer_id: Id, values: Mapping[str, Any]) -> Searchable:
    """What can be searched of a customer with these values."""
    address = regions.words(values["province"], values["city"]) + (values["address_detail"] or "")
    return Searchable(customer_id, values["name"], address, values.get("wechat_nickname") or "")


def copy(session: Session, table: Table, rows: Sequence[Mapping[str, Any]], **common: Any) -> None:
    """Append rows, which all have the same keys, to a table; `common`: what they have in common."""
    if rows:
        # The driver is quick with texts and numbers, and slow with ids and moments.
        shared = tuple(value if isinstance(value, int) else str(value) for value in common.values())
        own = itemgetter(*rows[0])
        copy_rows(session, table, (*rows[0], *common), (own(row) + shared for row in rows))


def head(chunk: Chunk) -> dict[str, str]:
    """What the events of a chunk say of it."""
    return {"batch_id": str(chunk.job_id), "actor_id": str(chunk.actor_id)}
