"""New customers of a chunk: made ready before the lock that all imports share is taken, written under it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, repeat
from typing import Any
from uuid import UUID

from sqlalchemy import Table
from sqlalchemy.orm import Session

from chassis.events.outbox import record_event
from crm.customer.v1 import customer_events_pb2 as events
from crm_customer.customers.model import Customer, with_custom
from crm_customer.customers.projection import state_of_newborn
from crm_customer.customers.rules import COMPANY, part_columns
from crm_customer.database import Copy, append, by_column, copy_of
from crm_customer.imports.queries import Prepared
from crm_customer.imports.records import contact_copies, new_contacts, searched
from crm_customer.imports.rules import Placed, Row
from crm_customer.imports.tagging import Retagged, keep_tags
from crm_customer.profiles.commands import keep_profiles
from crm_customer.search.projection import search_copy

_CUSTOMERS: Table = Customer.__table__  # type: ignore[assignment]
_NO_OWNER = {"owner_department_id": None, "owner_left": False}

ByPlace = Mapping[Placed, Sequence[Row]]
# What customers keep of their owners, by id.
Owners = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Births:
    """Rows that become customers, by place, with all that belongs to them, as it is written and told."""

    by_place: ByPlace
    owners: Owners
    copies: Sequence[Copy]
    profiles: Mapping[UUID, Mapping[str, Any]]
    tags: Mapping[UUID, Retagged]
    event: events.CustomerCreated

    def fit(self, by_place: ByPlace, owners: Owners) -> bool:
        """Whether these rows become customers there, and nothing else is to be kept of their owners."""
        return self.owners == owners and _numbers(self.by_place) == _numbers(by_place)


def owner_ids(by_place: ByPlace) -> set[str]:
    """Who owns any of them."""
    return {owner_id for placed in by_place if (owner_id := placed.columns["owner_id"])}


def compose(prepared: Prepared, by_place: ByPlace, owners: Owners, now: datetime) -> Births:
    """Make new customers ready."""
    chunk, rows = prepared.chunk, [*chain.from_iterable(by_place.values())]
    values, ids = [row.values for row in rows], [row.record_id for row in rows]
    own, place = part_columns("", values), _place_columns(by_place, owners)
    shared = {"created_by": chunk.actor_id, "created_at": now}
    told = own | place | {"id": ids, "source_row": [row.number for row in rows]}
    told["kind"] = [kind or COMPANY for kind in own.get("kind", repeat(None, len(rows)))]
    if part_columns("custom", values):
        told["custom"] = [json.dumps(with_custom({}, row.parts.custom)) for row in rows]
    common = {"version": 1, "facts_version": 1, "updated_at": now, "source_job": chunk.job_id}
    contacts = new_contacts(ids, own["name"], place["owner_id"], part_columns("contact", values))
    copies = [
        copy_of(_CUSTOMERS, told, **common, **shared),
        *contact_copies(chunk, contacts, now),
        search_copy(ids, *searched(prepared.reference.regions, own)),
    ]
    event = events.CustomerCreated(
        born=[_born({**placed.columns, **shared}, of_place) for placed, of_place in by_place.items()],
        placement_id=str(chunk.id),
        batch_id=str(chunk.job_id),
        actor_id=str(chunk.actor_id),
    )
    return Births(by_place, owners, copies, _profiles(rows), _tags(rows), event)


def write_births(session: Session, births: Births) -> None:
    """Append new customers with all that belongs to them, and tell it."""
    append(session, *births.copies)
    keep_profiles(session, births.profiles)
    keep_tags(session, births.tags)
    record_event(session, births.event)


def _numbers(by_place: ByPlace) -> dict[Placed, list[int]]:
    return {placed: [row.number for row in rows] for placed, rows in by_place.items()}


def _profiles(rows: Sequence[Row]) -> dict[UUID, Mapping[str, Any]]:
    if not part_columns("profile", [row.values for row in rows]):
        return {}
    return {UUID(row.record_id): row.parts.profile for row in rows if row.writes("profile.")}


def _tags(rows: Sequence[Row]) -> dict[UUID, Retagged]:
    return {UUID(row.record_id): Retagged(frozenset(), frozenset(row.tag_ids)) for row in rows if row.tag_ids}


def _place_columns(by_place: ByPlace, owners: Owners) -> dict[str, list[Any]]:
    """Columns of new customers that say where they lie."""
    places = []
    for one, rows in by_place.items():
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
