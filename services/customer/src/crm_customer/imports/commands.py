"""Writing one chunk of an import set-wise: the number of statements does not depend on the number of rows."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from sqlalchemy import Table
from sqlalchemy.orm import Session

from chassis.database import lock
from chassis.events.outbox import record_event
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.customer.v1 import customer_events_pb2 as events
from crm.pool.v1.pool_service_pb2 import Placement
from crm_customer.contacts.rules import is_filled
from crm_customer.customers.model import Customer, with_custom
from crm_customer.customers.projection import in_parts, states_of
from crm_customer.customers.rules import Parts, Problem
from crm_customer.imports.answers import created_at, settled
from crm_customer.imports.chunks import keep_answer, kept_answer
from crm_customer.imports.queries import Prepared, decisions
from crm_customer.imports.records import copy, copy_contacts, head, new_contact, searchable
from crm_customer.imports.rules import Chunk, Create, Row, Settled, Update, record_id_of
from crm_customer.imports.tagging import Retagged, keep_tags
from crm_customer.imports.updates import update_customers
from crm_customer.ownership.projection import owners_of, place_of
from crm_customer.profiles.commands import keep_profiles
from crm_customer.profiles.rules import is_filled as has_profile
from crm_customer.search.projection import add_to_search

_CUSTOMERS: Table = Customer.__table__  # type: ignore[assignment]
_CUSTOMER_COLUMNS = tuple(column.name for column in _CUSTOMERS.c)


def write_chunk(
    session: Session, prepared: Prepared, placements: Mapping[UUID, Placement], now: datetime
) -> Sequence[rows_pb.ImportRowResult]:
    """Match again and write, alone among all imports, so that two never create one customer twice (design §4).

    `placements`: pool's plan for the rows that had no match before.
    """
    lock(session, "customer-matching")
    kept = kept_answer(session, prepared.chunk.id)
    if kept is not None:
        return kept
    decided = decisions(session, prepared)
    results = {one.row.number: settled(one) for one in decided if isinstance(one, Settled)}
    births = []
    for one in decided:
        if isinstance(one, Create):
            problem = unplaced(prepared, one.row, placements.get(record_id_of(prepared.chunk.job_id, one.row.number)))
            if problem is None:
                births.append(one.row)
            else:
                results[one.row.number] = settled(Settled(one.row, [problem]))
    ids = _create(session, prepared, births, placements, now)
    results |= {row.number: created_at(row, id_, placements[id_]) for row, id_ in zip(births, ids, strict=True)}
    wanted = [one for one in decided if isinstance(one, Update)]
    results |= update_customers(session, prepared, wanted, now)
    answers = [results[row.number] for row in prepared.rows]
    keep_answer(session, prepared.chunk.id, answers, now)
    return answers


def unplaced(prepared: Prepared, row: Row, placement: Placement | None) -> Problem | None:
    """Why pool lets the row lie nowhere, naming the owner as the row does, else the importer; None when it does not."""
    if placement is None:
        # It had a match when pool was asked, and that is gone meanwhile.
        return Problem("", "match_changed")
    if placement.refusal_code:
        field, owner = row.owner_named
        owned = prepared.chunk.target_pool_id is None
        return Problem(field, placement.refusal_code, owner or (prepared.importer if owned else ""))
    return None


def _create(
    session: Session, prepared: Prepared, rows: Sequence[Row], placements: Mapping[UUID, Placement], now: datetime
) -> list[UUID]:
    if not rows:
        return []
    chunk = prepared.chunk
    ids = [record_id_of(chunk.job_id, row.number) for row in rows]
    places = [place_of(placements[id_].assignment) for id_ in ids]
    owners = owners_of(session, {place["owner_id"] for place in places if place["owner_id"]})
    customers, contacts, profiles = [], [], {}
    for id_, row, place in zip(ids, rows, places, strict=True):
        parts = row.parts
        customers.append(_born(id_, row, parts, place, chunk, now) | owners.get(place["owner_id"], {}))
        if is_filled(parts.contact):
            contacts.append(new_contact(chunk, id_, parts.own["name"], place["owner_id"], parts.contact, now))
        if has_profile(parts.profile):
            profiles[id_] = parts.profile
    copy(session, _CUSTOMERS, _CUSTOMER_COLUMNS, customers)
    copy_contacts(session, contacts)
    keep_profiles(session, profiles)
    nothing: frozenset[UUID] = frozenset()
    tagged = {id_: Retagged(nothing, frozenset(row.tag_ids)) for id_, row in zip(ids, rows, strict=True) if row.tag_ids}
    keep_tags(session, tagged)
    regions = prepared.reference.regions
    add_to_search(session, [searchable(regions, customer["id"], customer) for customer in customers])
    states = states_of(session, [SimpleNamespace(**customer) for customer in customers])
    record_event(session, *in_parts(events.CustomerCreated, states, placement_id=str(chunk.id), **head(chunk)))
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
        "won": False,
        "open_opportunities": 0,
        "custom": json.dumps(with_custom({}, parts.custom)),
        "effects_version": place["assignment_version"],
        "source_job": chunk.job_id,
        "source_row": row.number,
    }
