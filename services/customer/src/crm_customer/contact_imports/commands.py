"""Writing one chunk of contacts set-wise: the number of statements does not depend on the number of rows.

Customers are locked before contacts, and contacts before links, as everywhere (people.commands).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.database.rows import listed, rowset
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm_customer.contact_imports.answers import answer
from crm_customer.contact_imports.queries import Judged
from crm_customer.contact_imports.rules import Create, Update
from crm_customer.contacts.model import FORM_FIELDS, CustomerContact, columns_of
from crm_customer.customers.commands import SUBJECT
from crm_customer.customers.sight import one_of
from crm_customer.database import append, by_column
from crm_customer.imports.records import CONTACTS, contact_copies, new_contact
from crm_customer.imports.rules import record_id_of
from crm_customer.people.recording import entries_of_change
from crm_customer.search.projection import keep_contacts_in_search


def write_contacts(session: Session, judged: Judged, now: datetime) -> list[rows_pb.ImportRowResult]:
    """Write what was decided, unless it is rehearsed. One answer per row, in their order."""
    if not judged.chunk.rehearsal:
        _create(session, judged, [one for one in judged.decisions if isinstance(one, Create)], now)
        changes = [one for one in judged.decisions if isinstance(one, Update) and one.after]
        _update(session, judged, changes, now)
    return [answer(judged, one) for one in judged.decisions]


def _create(session: Session, judged: Judged, births: Sequence[Create], now: datetime) -> None:
    """New contacts, of the importer unless their row or their customer's pool says otherwise, as on the form. The first of
    a customer without a primary contact becomes it (B-37).
    """
    if not births:
        return
    chunk = judged.chunk
    contacts = []
    for one in births:
        customer = judged.customers[one.customer_id]
        owner_id = one.owner_id or (None if customer.pool_id else chunk.actor_id)
        id_ = record_id_of(chunk.job_id, one.number)
        contacts.append(new_contact(customer.id, customer.name, owner_id, one.values, id_))
    taken = (one_of(CustomerContact.customer_id, [one.customer_id for one in births]), CustomerContact.is_primary)
    led = set(session.scalars(select(CustomerContact.customer_id).where(*taken)))
    primary: dict[UUID, UUID] = {}
    for contact in contacts:
        if contact["customer_id"] not in led:
            primary.setdefault(contact["customer_id"], contact["id"])
    first = set(primary.values())
    append(session, *contact_copies(chunk, by_column(contacts), now, first))
    # Of the birth itself no entry is kept: the contact says when and by whom.
    record_audit(session, *(_added(judged, contact, is_primary=contact["id"] in first) for contact in contacts))


def _added(judged: Judged, contact: dict[str, Any], *, is_primary: bool) -> AuditEntry:
    customer_id: UUID = contact["customer_id"]
    after = {"contact": contact["name"], "relation_type": None, "is_primary": is_primary}
    cause = {"source_job": str(judged.chunk.job_id)}
    return AuditEntry("customer.contact_added", SUBJECT, customer_id, judged.chunk.actor_id, None, cause | after)


def _update(session: Session, judged: Judged, changes: Sequence[Update], now: datetime) -> None:
    if not changes:
        return
    rows = [
        {
            "id": one.person.id,
            **columns_of({name: one.after.get(name, one.person.values[name]) for name in FORM_FIELDS}),
        }
        for one in changes
    ]
    given = rowset(CONTACTS, tuple(rows[0]))
    own = {name: given.c[name] for name in rows[0] if name != "id"}
    values = own | {"version": CONTACTS.c.version + 1, "updated_at": now}
    session.execute(update(CONTACTS).where(CONTACTS.c.id == given.c.id).values(**values), listed(rows))
    keep_contacts_in_search(session, {one.person.id: one.after["name"] for one in changes if "name" in one.after})
    cause = {"source_job": str(judged.chunk.job_id)}
    entries = []
    for one in changes:
        seen = judged.people[one.person.id]
        entries += entries_of_change(seen, judged.sight, seen.contact.version, one.before, one.after, **cause)
    record_audit(session, *entries)
