"""Writing one chunk of an import set-wise: the number of statements does not depend on the number of rows."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain, repeat
from typing import Any
from uuid import UUID

from sqlalchemy import Table
from sqlalchemy.orm import Session

from chassis.database import lock
from chassis.events.outbox import record_event
from crm.customer.v1 import customer_events_pb2 as events
from crm.customer.v1 import customer_service_pb2 as pb
from crm_customer.customers.model import Customer, with_custom
from crm_customer.customers.projection import state_of_newborn
from crm_customer.customers.rules import COMPANY, Problem, part_columns
from crm_customer.database import by_column, copy_columns
from crm_customer.imports.answers import created_together, settled
from crm_customer.imports.chunks import keep_answer, kept_answer
from crm_customer.imports.queries import Prepared, decisions
from crm_customer.imports.records import copy_contacts, new_contacts, searched
from crm_customer.imports.rules import Create, Placed, Plan, Row, Settled, Update
from crm_customer.imports.tagging import Retagged, keep_tags
from crm_customer.imports.updates import update_customers
from crm_customer.ownership.projection import owners_of
from crm_customer.profiles.commands import keep_profiles
from crm_customer.search.projection import add_to_search

_CUSTOMERS: Table = Customer.__table__  # type: ignore[assignment]
_NO_OWNER = {"owner_department_id": None, "owner_left": False}


def write_chunk(session: Session, prepared: Prepared, plan: Plan, now: datetime) -> pb.BulkWriteCustomersResponse:
    """Match again and write, alone among all imports, so that two never create one customer twice (design §4).

    `plan`: pool's, for the rows that had no match before.
    """
    lock(session, "customer-matching")
    kept = kept_answer(session, prepared.chunk.id)
    if kept is not None:
        return kept
    decided = decisions(session, prepared)
    results = {one.row.number: settled(one) for one in decided if isinstance(one, Settled)}
    births: dict[Placed, list[Row]] = {}
    for row in (one.row for one in decided if isinstance(one, Create)):
        placed = placed_by(plan, prepared, row)
        if isinstance(placed, Problem):
            results[row.number] = settled(Settled(row, [placed]))
        else:
            births.setdefault(placed, []).append(row)
    if births:
        _create_customers(session, prepared, births, now)
    wanted = [one for one in decided if isinstance(one, Update)]
    results |= update_customers(session, prepared, wanted, now)
    response = pb.BulkWriteCustomersResponse(
        results=[results[row.number] for row in prepared.rows if row.number in results],
        created=[created_together(rows, placed.columns) for placed, rows in births.items()],
    )
    keep_answer(session, prepared.chunk.id, response, now)
    return response


def placed_by(plan: Plan, prepared: Prepared, row: Row) -> Placed | Problem:
    """Where pool lets the row lie, or why nowhere, naming the owner as the row does, else the importer."""
    placed = plan.get(row.record_id)
    if placed is None:
        # It had a match when pool was asked, and that is gone meanwhile.
        return Problem("", "match_changed")
    if placed.refusal_code:
        field, owner = row.owner_named
        owned = prepared.chunk.target_pool_id is None
        return Problem(field, placed.refusal_code, owner or (prepared.importer if owned else ""))
    return placed


def _create_customers(
    session: Session, prepared: Prepared, births: Mapping[Placed, Sequence[Row]], now: datetime
) -> None:
    """Append new customers, by place, with all that belongs to them, and tell it."""
    chunk, rows = prepared.chunk, [*chain.from_iterable(births.values())]
    values, ids = [row.values for row in rows], [row.record_id for row in rows]
    own, place = part_columns("", values), _place_columns(session, births)
    shared = {"created_by": chunk.actor_id, "created_at": now}
    told = own | place | {"id": ids, "source_row": [row.number for row in rows]}
    told["kind"] = [kind or COMPANY for kind in own.get("kind", repeat(None, len(rows)))]
    if part_columns("custom", values):
        told["custom"] = [json.dumps(with_custom({}, row.parts.custom)) for row in rows]
    common = {"version": 1, "facts_version": 1, "updated_at": now, "source_job": chunk.job_id}
    copy_columns(session, _CUSTOMERS, told, **common, **shared)
    copy_contacts(
        session, chunk, new_contacts(ids, own["name"], place["owner_id"], part_columns("contact", values)), now
    )
    if part_columns("profile", values):
        filled = {UUID(row.record_id): row.parts.profile for row in rows if row.writes("profile.")}
        keep_profiles(session, filled)
    tags = {UUID(row.record_id): Retagged(frozenset(), frozenset(row.tag_ids)) for row in rows if row.tag_ids}
    keep_tags(session, tags)
    add_to_search(session, ids, *searched(prepared.reference.regions, own))
    born = [_born({**placed.columns, **shared}, of_place) for placed, of_place in births.items()]
    event = events.CustomerCreated(
        born=born, placement_id=str(chunk.id), batch_id=str(chunk.job_id), actor_id=str(chunk.actor_id)
    )
    record_event(session, event)


def _place_columns(session: Session, births: Mapping[Placed, Sequence[Row]]) -> dict[str, list[Any]]:
    """Columns of new customers that say where they lie."""
    owners = owners_of(session, {owner_id for one in births if (owner_id := one.columns["owner_id"])})
    places = []
    for one, rows in births.items():
        place, owner = one.columns, owners.get(one.columns["owner_id"], _NO_OWNER)
        places += [{**place, **owner, "effects_version": place["assignment_version"]}] * len(rows)
    return by_column(places)


def _born(common: Mapping[str, Any], rows: Sequence[Row]) -> events.BornTogether:
    """Customers that came into being in one place, as others are told of them."""
    levels = [row.values.get("level") or "" for row in rows]
    return events.BornTogether(
        common=state_of_newborn({"id": "", "name": "", "level": None, **common}),
        ids=[row.record_id for row in rows],
        names=[row.values["name"] for row in rows],
        levels=levels if any(levels) else (),
    )
