"""Writing one chunk of an import set-wise: the number of statements does not depend on the number of rows."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
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
from crm_customer.customers.model import FIELDS, Customer, with_custom
from crm_customer.customers.projection import in_parts, state_of_newborn
from crm_customer.customers.rules import COMPANY, Problem
from crm_customer.imports.answers import created, settled
from crm_customer.imports.chunks import keep_answer, kept_answer
from crm_customer.imports.queries import Prepared, decisions
from crm_customer.imports.records import copy, copy_contacts, head, new_contact, searchable
from crm_customer.imports.rules import Chunk, Create, Row, Settled, Update, record_id_of
from crm_customer.imports.tagging import Retagged, keep_tags
from crm_customer.imports.updates import update_customers
from crm_customer.ownership.projection import Place, owners_of, place_of
from crm_customer.profiles.commands import keep_profiles
from crm_customer.profiles.rules import is_filled as has_profile
from crm_customer.search.projection import add_to_search

_CUSTOMERS: Table = Customer.__table__  # type: ignore[assignment]
_BLANK = dict.fromkeys(FIELDS)
_NO_OWNER = {"owner_department_id": None, "owner_left": False}


def write_chunk(
    session: Session, prepared: Prepared, placements: Mapping[int, Placement], now: datetime
) -> Sequence[rows_pb.ImportRowResult]:
    """Match again and write, alone among all imports, so that two never create one customer twice (design §4).

    `placements`: pool's plan for the rows that had no match before, by their number.
    """
    lock(session, "customer-matching")
    kept = kept_answer(session, prepared.chunk.id)
    if kept is not None:
        return kept
    decided = decisions(session, prepared)
    results = {one.row.number: settled(one) for one in decided if isinstance(one, Settled)}
    newcomers = [one.row for one in decided if isinstance(one, Create)]
    results |= _create_customers(session, prepared, newcomers, placements, now)
    wanted = [one for one in decided if isinstance(one, Update)]
    results |= update_customers(session, prepared, wanted, now)
    answers = [results[row.number] for row in prepared.rows]
    keep_answer(session, prepared.chunk.id, answers, now)
    return answers


def placed(prepared: Prepared, row: Row, placement: Placement | None) -> Place | Problem:
    """Where pool lets the row lie, or why nowhere, naming the owner as the row does, else the importer."""
    if placement is None:
        # It had a match when pool was asked, and that is gone meanwhile.
        return Problem("", "match_changed")
    if placement.refusal_code:
        field, owner = row.owner_named
        owned = prepared.chunk.target_pool_id is None
        return Problem(field, placement.refusal_code, owner or (prepared.importer if owned else ""))
    return place_of(placement.assignment)


def _create_customers(
    session: Session, prepared: Prepared, rows: Sequence[Row], placements: Mapping[int, Placement], now: datetime
) -> dict[int, rows_pb.ImportRowResult]:
    """Make customers of rows where pool lets them lie; the answers by number of row."""
    births: list[tuple[Row, Place]] = []
    answers = {}
    for row in rows:
        place = placed(prepared, row, placements.get(row.number))
        if isinstance(place, Problem):
            answers[row.number] = settled(Settled(row, [place]))
        else:
            births.append((row, place))
    if births:
        customers = _write(session, prepared, births, now)
        answers |= {one["source_row"]: created(one["source_row"], one["id"], one) for one in customers}
    return answers


def _write(
    session: Session, prepared: Prepared, births: Sequence[tuple[Row, Place]], now: datetime
) -> list[dict[str, Any]]:
    """Append new customers with all that belongs to them, and tell it; their rows, ids as texts."""
    chunk, regions = prepared.chunk, prepared.reference.regions
    owners = owners_of(session, {place["owner_id"] for _, place in births if place["owner_id"]})
    customers, contacts, profiles, tags = [], [], {}, {}
    for row, place in births:
        parts = row.parts
        customer = _born(chunk, row, place, owners.get(place["owner_id"], _NO_OWNER))
        customers.append(customer)
        if is_filled(parts.contact):
            contacts.append(new_contact(customer["id"], customer["name"], customer["owner_id"], parts.contact))
        if has_profile(parts.profile):
            profiles[UUID(customer["id"])] = parts.profile
        if row.tag_ids:
            tags[UUID(customer["id"])] = Retagged(frozenset(), frozenset(row.tag_ids))
    common = {"created_by": chunk.actor_id, "created_at": now, "updated_at": now, "source_job": chunk.job_id}
    copy(session, _CUSTOMERS, customers, version=1, facts_version=1, **common)
    copy_contacts(session, chunk, contacts, now)
    keep_profiles(session, profiles)
    keep_tags(session, tags)
    add_to_search(session, [searchable(regions, one["id"], one) for one in customers])
    states = [state_of_newborn(one | common) for one in customers]
    record_event(session, *in_parts(events.CustomerCreated, states, placement_id=str(chunk.id), **head(chunk)))
    return customers


def _born(chunk: Chunk, row: Row, place: Place, owner: Mapping[str, Any]) -> dict[str, Any]:
    """A customer's columns as far as they differ from row to row."""
    own, custom = row.parts.own, with_custom({}, row.parts.custom)
    return {
        **_BLANK,
        **own,
        **place,
        **owner,
        "id": str(record_id_of(chunk.job_id, row.number)),
        "kind": own.get("kind") or COMPANY,
        "custom": json.dumps(custom) if custom else "{}",
        "effects_version": place["assignment_version"],
        "source_row": row.number,
    }
