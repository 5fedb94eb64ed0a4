"""Records that rows of an import bring, written with COPY."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Table
from sqlalchemy.orm import Session

from chassis.identifiers import new_id
from crm_customer.contacts.model import Contact, CustomerContact
from crm_customer.database import copy_rows
from crm_customer.dictionaries.rules import Regions
from crm_customer.imports.rules import Chunk
from crm_customer.search.projection import Searchable, add_contacts_to_search

CONTACTS: Table = Contact.__table__  # type: ignore[assignment]
LINKS: Table = CustomerContact.__table__  # type: ignore[assignment]
_CONTACT_COLUMNS = tuple(column.name for column in CONTACTS.c)


def new_contact(
    chunk: Chunk,
    customer_id: UUID,
    customer_name: str,
    owner_id: UUID | None,
    values: Mapping[str, Any],
    now: datetime,
    contact_id: UUID | None = None,
) -> dict[str, Any]:
    """The contact that a row brings, named after its customer unless it has a name (A-53)."""
    return {
        **dict.fromkeys(_CONTACT_COLUMNS),
        **values,
        "id": contact_id or new_id(),
        "customer_id": customer_id,
        "is_primary": False,
        "owner_id": owner_id,
        "created_by": chunk.actor_id,
        "version": 1,
        "name": values.get("name") or customer_name,
        "created_at": now,
        "updated_at": now,
    }


def copy_contacts(session: Session, contacts: Sequence[Mapping[str, Any]]) -> None:
    """New contacts, each the primary one of its customer, findable by their names."""
    add_contacts(session, contacts, {one["id"] for one in contacts})


def add_contacts(session: Session, contacts: Sequence[Mapping[str, Any]], primary: Collection[UUID]) -> None:
    """New contacts, each linked with its customer, findable by their names; `primary`: ids of primary contacts."""
    links = [
        {"customer_id": one["customer_id"], "contact_id": one["id"], "is_primary": one["id"] in primary}
        for one in contacts
    ]
    copy(session, CONTACTS, _CONTACT_COLUMNS, contacts)
    copy(session, LINKS, ("customer_id", "contact_id", "is_primary"), links)
    if contacts:
        add_contacts_to_search(session, {one["id"]: one["name"] for one in contacts})


def searchable(regions: Regions, customer_id: UUID, values: Mapping[str, Any]) -> Searchable:
    """What can be searched of a customer with these values."""
    address = regions.words(values["province"], values["city"]) + (values["address_detail"] or "")
    return Searchable(customer_id, values["name"], address, values.get("wechat_nickname") or "")


def copy(session: Session, table: Table, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Append rows to a table."""
    if rows:
        copy_rows(session, table, columns, ([row[name] for name in columns] for row in rows))


def head(chunk: Chunk) -> dict[str, str]:
    """What the events of a chunk say of it."""
    return {"batch_id": str(chunk.job_id), "actor_id": str(chunk.actor_id)}
