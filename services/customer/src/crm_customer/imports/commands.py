"""Writing one chunk of an import set-wise: the number of statements does not depend on the number of rows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from sqlalchemy import Table, insert, select, update
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.database import lock
from chassis.events.outbox import record_event
from chassis.identifiers import new_id
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.customer.v1 import customer_events_pb2 as events
from crm.customer.v1 import customer_service_pb2 as pb
from crm.pool.v1.pool_service_pb2 import Placement
from crm_customer.contacts.model import FIELDS as CONTACT_FIELDS
from crm_customer.contacts.model import Contact, CustomerContact
from crm_customer.contacts.rules import is_filled
from crm_customer.customers.commands import SUBJECT
from crm_customer.customers.model import FIELDS, Customer, with_custom
from crm_customer.customers.projection import in_parts, states_of
from crm_customer.customers.queries import one_of
from crm_customer.customers.rules import Parts, Problem, split
from crm_customer.database import copy_rows, rowset
from crm_customer.imports.model import BulkWriteResult
from crm_customer.imports.queries import Prepared, decisions, kept_answer
from crm_customer.imports.rules import Change, Chunk, Create, Row, Settled, Update, change_of, customer_id_of
from crm_customer.ownership.projection import owners_of, place_of
from crm_customer.search.projection import Searchable, add_to_search, keep_in_search

_CUSTOMERS: Table = Customer.__table__  # type: ignore[assignment]
_CONTACTS: Table = Contact.__table__  # type: ignore[assignment]
_LINKS: Table = CustomerContact.__table__  # type: ignore[assignment]
_CONTACT_COLUMNS = tuple(column.name for column in _CONTACTS.c)
_CUSTOMER_COLUMNS = tuple(column.name for column in _CUSTOMERS.c)
_MOST_SHOWN = 200


@dataclass(frozen=True)
class Written:
    """What was answered, and the customers really created out of the plan."""

    response: pb.BulkWriteCustomersResponse
    created: Sequence[UUID]


def write_chunk(session: Session, prepared: Prepared, placements: Mapping[UUID, Placement], now: datetime) -> Written:
    """Match again and write, alone among all imports, so that two never create one customer twice (design §4).

    `placements`: pool's plan for the rows that had no match before.
    """
    lock(session, "customer-matching")
    kept = kept_answer(session, prepared.chunk.id)
    if kept is not None:
        return Written(kept, [])
    decided = decisions(session, prepared)
    results = {one.row.number: _settled(one) for one in decided if isinstance(one, Settled)}
    births = []
    for one in decided:
        if isinstance(one, Create):
            problem = _unplaced(one.row, placements.get(customer_id_of(prepared.chunk.job_id, one.row.number)))
            if problem is None:
                births.append(one.row)
            else:
                results[one.row.number] = _settled(Settled(one.row, [problem]))
    created = _create(session, prepared, births, placements, now)
    results |= {
        row.number: _done(row, rows_pb.IMPORT_OUTCOME_CREATED, id_) for row, id_ in zip(births, created, strict=True)
    }
    wanted = [one for one in decided if isinstance(one, Update)]
    results |= _update(session, prepared, wanted, now)
    response = pb.BulkWriteCustomersResponse(results=[results[row.number] for row in prepared.rows])
    session.execute(
        insert(BulkWriteResult).values(
            chunk_id=prepared.chunk.id, response=response.SerializeToString(deterministic=True), written_at=now
        )
    )
    return Written(response, created)


def _unplaced(row: Row, placement: Placement | None) -> Problem | None:
    if placement is None:
        # It had a match when pool was asked, and that is gone meanwhile.
        return Problem("", "match_changed")
    if placement.refusal_code:
        return Problem("owner" if row.owner else "", placement.refusal_code, row.owner)
    return None


def _create(
    session: Session, prepared: Prepared, rows: Sequence[Row], placements: Mapping[UUID, Placement], now: datetime
) -> list[UUID]:
    if not rows:
        return []
    chunk = prepared.chunk
    ids = [customer_id_of(chunk.job_id, row.number) for row in rows]
    places = [place_of(placements[id_].assignment) for id_ in ids]
    owners = owners_of(session, {place["owner_id"] for place in places if place["owner_id"]})
    customers, contacts = [], []
    for id_, row, place in zip(ids, rows, places, strict=True):
        parts = split(row.values)
        customers.append(_born(id_, row, parts, place, chunk, now) | owners.get(place["owner_id"], {}))
        if is_filled(parts.contact):
            contacts.append(_new_contact(chunk, id_, parts.own["name"], place["owner_id"], parts.contact, now))
    _copy(session, _CUSTOMERS, _CUSTOMER_COLUMNS, customers)
    _copy_contacts(session, contacts)
    add_to_search(session, [_searchable(prepared, customer["id"], customer) for customer in customers])
    states = states_of(session, [SimpleNamespace(**customer) for customer in customers])
    record_event(session, *in_parts(events.CustomerCreated, states, placement_id=str(chunk.id), **_batch(chunk)))
    return ids


def _born(id_: UUID, row: Row, parts: Parts, place: Mapping[str, Any], chunk: Chunk, now: datetime) -> dict[str, Any]:
    return {
        **dict.fromkeys(_CUSTOMER_COLUMNS),
        **parts.own,
        **place,
        "id": id_,
        "version": 1,
        "facts_version": 1,
        "created_by": chunk.actor_id,
        "created_at": now,
        "updated_at": now,
        "owner_left": False,
        "kind": parts.own.get("kind") or "company",
        "wecom_friend": False,
        "custom": json.dumps(with_custom({}, parts.custom)),
        "effects_version": place["assignment_version"],
        "source_job": chunk.job_id,
        "source_row": row.number,
    }


def _new_contact(
    chunk: Chunk,
    customer_id: UUID,
    customer_name: str,
    owner_id: UUID | None,
    values: Mapping[str, Any],
    now: datetime,
) -> dict[str, Any]:
    return {
        **dict.fromkeys(_CONTACT_COLUMNS),
        **values,
        "id": new_id(),
        "customer_id": customer_id,
        "is_primary": False,
        "owner_id": owner_id,
        "created_by": chunk.actor_id,
        "version": 1,
        "name": values.get("name") or customer_name,
        "created_at": now,
        "updated_at": now,
    }


def _copy_contacts(session: Session, contacts: Sequence[Mapping[str, Any]]) -> None:
    """New contacts, each the primary one of its customer."""
    links = [{"customer_id": one["customer_id"], "contact_id": one["id"], "is_primary": True} for one in contacts]
    _copy(session, _CONTACTS, _CONTACT_COLUMNS, contacts)
    _copy(session, _LINKS, ("customer_id", "contact_id", "is_primary"), links)


def _update(
    session: Session, prepared: Prepared, wanted: Sequence[Update], now: datetime
) -> dict[int, rows_pb.ImportRowResult]:
    if not wanted:
        return {}
    found = _locked(session, [one.customer_id for one in wanted])
    results: dict[int, rows_pb.ImportRowResult] = {}
    changes: list[Change] = []
    for one in wanted:
        change = _change(prepared, one, found.get(one.customer_id))
        if isinstance(change, Change):
            results[one.row.number] = _done(one.row, rows_pb.IMPORT_OUTCOME_UPDATED, one.customer_id)
            if change.changed:
                changes.append(change)
        else:
            results[one.row.number] = _settled(Settled(one.row, change))
    if changes:
        _write(session, prepared, changes, found, now)
    return results


def _change(prepared: Prepared, one: Update, found: Any) -> Change | list[Problem]:
    if found is None:
        return [Problem("", "match_changed")]
    own = {name: getattr(found, name) for name in FIELDS}
    person = {name: getattr(found, f"contact_{name}") for name in CONTACT_FIELDS}
    before = Parts(own, person, {}, found.custom).flat()
    clear_empty, has_contact = prepared.chunk.clear_empty, found.contact_id is not None
    return change_of(one, before, prepared.reference, clear_empty=clear_empty, has_contact=has_contact)


def _locked(session: Session, ids: Sequence[UUID]) -> dict[UUID, Any]:
    """The customers and their primary contacts as they are, locked in id order."""
    contact = [_CONTACTS.c[name].label(f"contact_{name}") for name in ("id", *CONTACT_FIELDS)]
    primary = (_LINKS.c.customer_id == _CUSTOMERS.c.id) & _LINKS.c.is_primary
    rows = session.execute(
        select(_CUSTOMERS, *contact)
        .outerjoin(_LINKS, primary)
        .outerjoin(_CONTACTS, _CONTACTS.c.id == _LINKS.c.contact_id)
        .where(one_of(Customer.id, ids))
        .order_by(_CUSTOMERS.c.id)
        .with_for_update(of=_CUSTOMERS, key_share=True)
    )
    return {row.id: row for row in rows if row.deleted_at is None}


def _write(
    session: Session, prepared: Prepared, changes: Sequence[Change], found: Mapping[UUID, Any], now: datetime
) -> None:
    given = rowset(_CUSTOMERS, [_as_row(one) for one in changes])
    session.execute(
        update(_CUSTOMERS)
        .where(_CUSTOMERS.c.id == given.c.id)
        .values(
            **{name: given.c[name] for name in (*FIELDS, "custom")},
            version=_CUSTOMERS.c.version + 1,
            facts_version=_CUSTOMERS.c.facts_version + 1,
            updated_at=now,
        )
    )
    _write_contacts(session, prepared.chunk, [one for one in changes if one.touches("contact.")], found, now)
    moved = [one for one in changes if one.touches("name", "province", "city", "address_detail", "wechat_nickname")]
    keep_in_search(session, [_searchable(prepared, one.customer_id, one.after) for one in moved])
    record_audit(session, *(_entry(prepared.chunk, one, found[one.customer_id].version) for one in changes))
    changed = []
    for one in changes:
        row = found[one.customer_id]._mapping  # noqa: SLF001
        facts = {**row, "name": one.after["name"], "facts_version": row["facts_version"] + 1}
        changed.append(SimpleNamespace(**facts))
    states = states_of(session, changed)
    record_event(session, *in_parts(events.CustomerUpdated, states, **_batch(prepared.chunk)))


def _as_row(change: Change) -> dict[str, Any]:
    parts = change.parts
    return {"id": change.customer_id, **parts.own, "custom": with_custom({}, parts.custom)}


def _write_contacts(
    session: Session, chunk: Chunk, changes: Sequence[Change], found: Mapping[UUID, Any], now: datetime
) -> None:
    known = [one for one in changes if found[one.customer_id].contact_id is not None]
    new = [one for one in changes if found[one.customer_id].contact_id is None]
    owners = {one.customer_id: found[one.customer_id].owner_id for one in new}
    _copy_contacts(
        session,
        [
            _new_contact(chunk, one.customer_id, one.after["name"], owners[one.customer_id], one.parts.contact, now)
            for one in new
        ],
    )
    if known:
        given = rowset(_CONTACTS, [{"id": found[one.customer_id].contact_id, **one.parts.contact} for one in known])
        values = {name: given.c[name] for name in CONTACT_FIELDS}
        session.execute(update(_CONTACTS).where(_CONTACTS.c.id == given.c.id).values(**values, updated_at=now))


def _entry(chunk: Chunk, change: Change, version: int) -> AuditEntry:
    return AuditEntry(
        "customer.changed_by_import",
        SUBJECT,
        change.customer_id,
        chunk.actor_id,
        {"version": version} | {name: change.before.get(name) for name in change.changed},
        {"version": version + 1, "source_job": str(chunk.job_id)}
        | {name: change.after.get(name) for name in change.changed},
    )


def _searchable(prepared: Prepared, customer_id: UUID, values: Mapping[str, Any]) -> Searchable:
    address = prepared.reference.regions.words(values["province"], values["city"]) + (values["address_detail"] or "")
    return Searchable(customer_id, values["name"], address, values.get("wechat_nickname") or "")


def _copy(session: Session, table: Table, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        copy_rows(session, table, columns, ([row[name] for name in columns] for row in rows))


def _batch(chunk: Chunk) -> dict[str, str]:
    return {"batch_id": str(chunk.job_id), "actor_id": str(chunk.actor_id)}


def _done(row: Row, outcome: rows_pb.ImportOutcome.ValueType, customer_id: UUID) -> rows_pb.ImportRowResult:
    return rows_pb.ImportRowResult(row_number=row.number, outcome=outcome, record_id=str(customer_id))


def _settled(one: Settled) -> rows_pb.ImportRowResult:
    if one.created and one.customer_id is not None:
        return _done(one.row, rows_pb.IMPORT_OUTCOME_CREATED, one.customer_id)
    return rows_pb.ImportRowResult(
        row_number=one.row.number,
        outcome=rows_pb.IMPORT_OUTCOME_SKIPPED if one.skipped else rows_pb.IMPORT_OUTCOME_FAILED,
        record_id=str(one.customer_id or ""),
        problems=[
            rows_pb.ImportRowProblem(
                field=problem.field,
                code=problem.code,
                value=problem.value[:_MOST_SHOWN],
                parameters={name: str(value) for name, value in problem.parameters.items()},
            )
            for problem in one.problems
        ],
    )
