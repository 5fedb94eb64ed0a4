"""gRPC of bulk writes, for the import service alone."""

import threading
from collections.abc import Sequence
from functools import cache, partial
from typing import cast
from uuid import UUID

import grpc
from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.runtime import Runtime
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.common.v1.place_pb2 import Place
from crm.customer.v1 import customer_service_pb2 as pb
from crm.pool.v1.pool_service_pb2 import NewCustomer, Placement
from crm_customer.customers.projection import place
from crm_customer.customers.rules import is_custom
from crm_customer.imports.chunks import admitted, chunk_of, kept_answer
from crm_customer.imports.commands import write_chunk
from crm_customer.imports.queries import Prepared, decisions, prepare
from crm_customer.imports.rehearsing import judge, rehearsed
from crm_customer.imports.rules import KNOWN, MATCHABLE, Chunk, Create, Row, record_id_of
from crm_customer.ownership import clients
from crm_customer.ownership.queries import pool_names
from crm_customer.settings import Settings

_MODES = (rows_pb.IMPORT_MODE_CREATE_ONLY, rows_pb.IMPORT_MODE_CREATE_AND_UPDATE, rows_pb.IMPORT_MODE_ASK)


class BulkWrites:
    """BulkWriteCustomers of CustomerService."""

    runtime: Runtime
    slots: threading.BoundedSemaphore

    def BulkWriteCustomers(
        self, request: pb.BulkWriteCustomersRequest, context: grpc.ServicerContext
    ) -> pb.BulkWriteCustomersResponse:
        chunk = chunk_of(request, lambda name: name in KNOWN or is_custom(name), MATCHABLE, _MODES)
        with admitted(self.slots):
            results = self._rehearse(chunk, request) if chunk.rehearsal else self._write(chunk, request)
            self._name_pools(results)
            return pb.BulkWriteCustomersResponse(results=results)

    def _write(self, chunk: Chunk, request: pb.BulkWriteCustomersRequest) -> Sequence[rows_pb.ImportRowResult]:
        runtime = self.runtime
        with runtime.database.reading() as session:
            kept = kept_answer(session, chunk.id)
            if kept is not None:
                return kept
            prepared = self._prepare(session, chunk, request)
            newcomers = [one.row for one in decisions(session, prepared) if isinstance(one, Create)]
        placements = self._plan(chunk, newcomers)
        with runtime.database.transaction() as session:
            return write_chunk(session, prepared, placements, now())

    def _rehearse(self, chunk: Chunk, request: pb.BulkWriteCustomersRequest) -> Sequence[rows_pb.ImportRowResult]:
        with self.runtime.database.reading() as session:
            actor = self.runtime.actors.actor(session, chunk.actor_id)
            judged = judge(session, self._prepare(session, chunk, request), actor.language if actor else "zh")
        placements = self._plan(chunk, [one.row for one in judged.newcomers], rehearsed=request.rehearsed)
        return rehearsed(judged, placements)

    def _name_pools(self, results: Sequence[rows_pb.ImportRowResult]) -> None:
        """Say what the pools are called that new customers lie in."""
        pool_ids = {result.pool_id for result in results if result.pool_id}
        if not pool_ids:
            return
        with self.runtime.database.reading() as session:
            names = {str(id_): name for id_, name in pool_names(session, set(map(UUID, pool_ids))).items()}
        for result in results:
            if result.pool_id:
                result.pool_name = names.get(result.pool_id, "")

    def _prepare(self, session: Session, chunk: Chunk, request: pb.BulkWriteCustomersRequest) -> Prepared:
        return prepare(session, chunk, request, cast(Settings, self.runtime.settings).mobile_pattern)

    def _plan(
        self, chunk: Chunk, rows: Sequence[Row], rehearsed: Sequence[rows_pb.RehearsedOwner] | None = None
    ) -> dict[int, Placement]:
        if not rows:
            return {}
        wish = cache(partial(_wish, chunk))
        wishes = [
            NewCustomer(
                customer_id=str(record_id_of(chunk.job_id, row.number)),
                wish=wish(row.owner_id),
                name=row.values["name"],
            )
            for row in rows
        ]
        planned = clients.plan(self.runtime, chunk.actor_id, chunk.id, wishes, rehearsed)
        return {row.number: placement for row, placement in zip(rows, planned, strict=True)}


def _wish(chunk: Chunk, owner_id: UUID | None) -> Place:
    """Where a created row is to lie: with the owner it names, else in the job's pool, else with the importer (D-30)."""
    if owner_id is not None:
        return place(owner_id, None)
    return place(None if chunk.target_pool_id else chunk.actor_id, chunk.target_pool_id)
