"""Records that rows of an import bring, written with COPY."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import compress, repeat
from typing import Any

from sqlalchemy import Table

from chassis.identifiers import new_id, new_ids
from crm_customer.contacts.model import FORM_FIELDS, Contact, CustomerContact, columns_of
from crm_customer.contacts.rules import filled_rows
from crm_customer.database import Copy, Id, copy_of
from crm_customer.dictionaries.rules import Regions
from crm_customer.imports.rules import Chunk
from crm_customer.search.projection import Searchable, contact_search_copy

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


def new_contacts(
    customer_ids: Sequence[Id],
    customer_names: Sequence[str],
    owner_ids: Sequence[Id | None],
    columns: Mapping[str, Sequence[Any]],
) -> dict[str, list[Any]]:
    """The same of many rows, by column: contacts of those customers of whom more than a remark is filled in."""
    filled = filled_rows(columns, len(customer_ids))
    names = columns.get("name") or repeat(None, len(customer_ids))
    named = [own or name for own, name in zip(names, customer_names, strict=True)]
    told = {**columns, "customer_id": customer_ids, "owner_id": owner_ids, "name": named}
    contacts = {name: [*compress(column, filled)] for name, column in told.items()}
    return contacts | {"id": new_ids(len(contacts["name"]))}


def contact_copies(
    chunk: Chunk,
    contacts: Mapping[str, Sequence[Any]],
    now: datetime,
    primary: Collection[Id] | None = None,
) -> list[Copy]:
    """New contacts, told by column, each linked with its customer, findable by their names; `primary`: ids of primary
    contacts, all of them unless given.
    """
    ids = contacts.get("id")
    if not ids:
        return []
    made: dict[str, Any] = {"version": 1, "created_by": chunk.actor_id, "created_at": now, "updated_at": now}
    is_primary = [primary is None or id_ in primary for id_ in ids]
    links = {"customer_id": contacts["customer_id"], "contact_id": ids, "is_primary": is_primary}
    named = contact_search_copy(ids, contacts["name"])
    return [copy_of(CONTACTS, contacts, **made), copy_of(LINKS, links), named]


def searchable(regions: Regions, customer_id: Id, values: Mapping[str, Any]) -> Searchable:
    """What can be searched of a customer with these values."""
    address = regions.words(values["province"], values["city"]) + (values["address_detail"] or "")
    return Searchable(customer_id, values["name"], address, values.get("wechat_nickname") or "")


def searched(
    regions: Regions, columns: Mapping[str, Sequence[Any]]
) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    """Names, addresses and nicknames as they can be searched of customers that are told by column."""
    names = columns["name"]
    none = [None] * len(names)
    places = zip(columns.get("province", none), columns.get("city", none), strict=True)
    details = columns.get("address_detail", none)
    addresses = [regions.words(*place) + (detail or "") for place, detail in zip(places, details, strict=True)]
    return names, addresses, [nickname or "" for nickname in columns.get("wechat_nickname", none)]


def head(chunk: Chunk) -> dict[str, str]:
    """What the events of a chunk say of it."""
    return {"batch_id": str(chunk.job_id), "actor_id": str(chunk.actor_id)}
