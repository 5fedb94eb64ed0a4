"""gRPC of bulk writes, for the import service alone."""

from typing import Any, cast
from uuid import UUID

import grpc
from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.runtime import Runtime
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.customer.v1 import customer_service_pb2 as pb
from crm_customer.customers.rules import is_custom
from crm_customer.imports.chunks import Admission, chunk_of, kept_answer
from crm_customer.imports.commands import make_ready, write_chunk
from crm_customer.imports.planning import plan
from crm_customer.imports.queries import Prepared, decisions, prepare
from crm_customer.imports.rehearsing import judge, rehearsed
from crm_customer.imports.rules import KNOWN, MATCHABLE, Chunk, Create
from crm_customer.ownership.queries import pool_names
from crm_customer.settings import Settings

_MODES = (rows_pb.IMPORT_MODE_CREATE_ONLY, rows_pb.IMPORT_MODE_CREATE_AND_UPDATE, rows_pb.IMPORT_MODE_ASK)


class BulkWrites:
    """BulkWriteCustomers of CustomerService."""

    runtime: Runtime
    bulk_writes: Admission

    def BulkWriteCustomers(
        self, request: pb.BulkWriteCustomersRequest, context: grpc.ServicerContext
    ) -> pb.BulkWriteCustomersResponse:
        chunk = chunk_of(request, lambda name: name in KNOWN or is_custom(name), MATCHABLE, _MODES)
        with self.bulk_writes.admitted():
            response = self._rehearse(chunk, request) if chunk.rehearsal else self._write(chunk, request)
            self._name_pools(response)
            return response

    def _write(self, chunk: Chunk, request: pb.BulkWriteCustomersRequest) -> pb.BulkWriteCustomersResponse:
        runtime = self.runtime
        with runtime.database.reading() as session:
            kept = kept_answer(session, chunk.id)
            if kept is not None:
                return kept
            prepared = self._prepare(session, chunk, request)
            decided = decisions(session, prepared)
        planned = plan(runtime, chunk, [one.row for one in decided if isinstance(one, Create)])
        with runtime.database.reading() as session:
            ready = make_ready(session, prepared, decided, planned, now())
        with runtime.database.transaction() as session:
            return write_chunk(session, prepared, planned, ready, now())

    def _rehearse(self, chunk: Chunk, request: pb.BulkWriteCustomersRequest) -> pb.BulkWriteCustomersResponse:
        with self.runtime.database.reading() as session:
            actor = self.runtime.actors.actor(session, chunk.actor_id)
            judged = judge(session, self._prepare(session, chunk, request), actor.language if actor else "zh")
        planned = plan(self.runtime, chunk, [one.row for one in judged.newcomers], request.rehearsed)
        return pb.BulkWriteCustomersResponse(results=rehearsed(judged, planned))

    def _name_pools(self, response: pb.BulkWriteCustomersResponse) -> None:
        """Say what the pools are called that new customers lie in."""
        told: list[Any] = [*response.created, *response.results]
        lying = [one for one in told if one.pool_id]
        if not lying:
            return
        with self.runtime.database.reading() as session:
            names = pool_names(session, {UUID(one.pool_id) for one in lying})
        for one in lying:
            one.pool_name = names.get(UUID(one.pool_id), "")

    def _prepare(self, session: Session, chunk: Chunk, request: pb.BulkWriteCustomersRequest) -> Prepared:
        return prepare(session, chunk, request, cast(Settings, self.runtime.settings).mobile_pattern)
