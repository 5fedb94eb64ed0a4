"""Asking pool where rows that create customers would lie, by what they wish."""

from collections.abc import Sequence
from uuid import UUID

from chassis.runtime import Runtime
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.common.v1.place_pb2 import Place
from crm.pool.v1.pool_service_pb2 import WishedTogether
from crm_customer.customers.projection import place
from crm_customer.imports.rules import Chunk, Placed, Plan, Row
from crm_customer.ownership import clients
from crm_customer.ownership.projection import place_of


def plan(
    runtime: Runtime, chunk: Chunk, rows: Sequence[Row], rehearsed: Sequence[rows_pb.RehearsedOwner] | None = None
) -> Plan:
    """Pool's plan for the rows; `rehearsed`: what a rehearsal gave to owners before. Raises Unavailable."""
    if not rows:
        return {}
    wishes: dict[UUID | None, list[str]] = {}
    for row in rows:
        wishes.setdefault(row.owner_id, []).append(row.record_id)
    wished = [WishedTogether(wish=_wish(chunk, owner_id), customer_ids=ids) for owner_id, ids in wishes.items()]
    planned: dict[str, Placed] = {}
    for one in clients.plan(runtime, chunk.actor_id, chunk.id, wished, rehearsed):
        planned |= dict.fromkeys(one.customer_ids, Placed(place_of(one.common), one.refusal_code))
    return planned


def _wish(chunk: Chunk, owner_id: UUID | None) -> Place:
    """Where a created row is to lie: with the owner it names, else in the job's pool, else with the importer (D-30)."""
    if owner_id is not None:
        return place(owner_id, None)
    return place(None if chunk.target_pool_id else chunk.actor_id, chunk.target_pool_id)
