"""gRPC of bulk writes, for the import service alone."""

import threading
from collections.abc import Sequence
from typing import cast
from uuid import UUID

import grpc

from chassis.clock import now
from chassis.errors import Invalid, Refusal, TooManyRequests
from chassis.logs import get_logger
from chassis.runtime import Runtime
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.common.v1.place_pb2 import Place
from crm.customer.v1 import customer_service_pb2 as pb
from crm.pool.v1.pool_service_pb2 import NewCustomer, Placement
from crm_customer.customers.projection import place
from crm_customer.customers.rules import is_custom
from crm_customer.imports.commands import write_chunk
from crm_customer.imports.queries import Prepared, decisions, kept_answer, prepare
from crm_customer.imports.rules import KNOWN, MATCHABLE, Chunk, Create, Row, record_id_of
from crm_customer.ownership import clients
from crm_customer.settings import Settings

MOST_ROWS = 1000
_MODES = (rows_pb.IMPORT_MODE_CREATE_ONLY, rows_pb.IMPORT_MODE_CREATE_AND_UPDATE)
log = get_logger(__name__)


class BulkWrites:
    """BulkWriteCustomers of CustomerService."""

    runtime: Runtime
    slots: threading.BoundedSemaphore

    def BulkWriteCustomers(
        self, request: pb.BulkWriteCustomersRequest, context: grpc.ServicerContext
    ) -> pb.BulkWriteCustomersResponse:
        """Only a few at once: imports wait, users do not (design §2.11)."""
        chunk = _chunk(request)
        if not self.slots.acquire(blocking=False):
            raise TooManyRequests("bulk_write_busy", retry_after_seconds=1)
        try:
            return self._write(chunk, request.rows)
        finally:
            self.slots.release()

    def _write(self, chunk: Chunk, rows: Sequence[rows_pb.ImportRow]) -> pb.BulkWriteCustomersResponse:
        runtime = self.runtime
        with runtime.database.reading() as session:
            kept = kept_answer(session, chunk.id)
            if kept is not None:
                return kept
            prepared = prepare(session, chunk, rows, cast(Settings, runtime.settings).mobile_pattern)
            newcomers = [one.row for one in decisions(session, prepared) if isinstance(one, Create)]
        placements = self._plan(prepared, newcomers)
        with runtime.database.transaction() as session:
            written = write_chunk(session, prepared, placements, now())
        if written.created:
            self._commit(chunk, written.created)
        return written.response

    def _plan(self, prepared: Prepared, rows: Sequence[Row]) -> dict[UUID, Placement]:
        if not rows:
            return {}
        chunk = prepared.chunk
        wishes = [
            NewCustomer(
                customer_id=str(record_id_of(chunk.job_id, row.number)),
                wish=_wish(chunk, row),
                name=row.values["name"],
            )
            for row in rows
        ]
        return clients.plan(self.runtime, chunk.actor_id, chunk.id, wishes)

    def _commit(self, chunk: Chunk, created: Sequence[UUID]) -> None:
        try:
            clients.commit(self.runtime, chunk.actor_id, chunk.id, created)
        except Refusal as refusal:
            # The creation event says the same again.
            log.warning("placement_commit_postponed", code=refusal.code, placement_id=str(chunk.id))


def _wish(chunk: Chunk, row: Row) -> Place:
    """Where a created row is to lie: with the owner it names, else in the job's pool, else with the importer (D-30)."""
    if row.owner_id is not None:
        return place(row.owner_id, None)
    return place(None if chunk.target_pool_id else chunk.actor_id, chunk.target_pool_id)


def _chunk(request: pb.BulkWriteCustomersRequest) -> Chunk:
    """The request's head. Raises Invalid when the caller got it wrong."""
    if request.mode not in _MODES:
        raise Invalid("malformed_chunk", reason="mode")
    fields = tuple(dict.fromkeys(request.match_fields))
    if not fields or not set(fields) <= set(MATCHABLE):
        raise Invalid("malformed_chunk", reason="match_fields")
    if len(request.rows) > MOST_ROWS:
        raise Invalid("too_many_items", max_items=MOST_ROWS)
    if len({row.row_number for row in request.rows}) != len(request.rows):
        raise Invalid("malformed_chunk", reason="row_number")
    unknown = {name for row in request.rows for name in row.values if not is_custom(name)} - KNOWN
    if unknown:
        raise Invalid("malformed_chunk", reason=f"values: {min(unknown)[:50]}")
    try:
        return Chunk(
            id=UUID(request.chunk_id),
            job_id=UUID(request.job_id),
            actor_id=UUID(request.actor_id),
            update=request.mode == rows_pb.IMPORT_MODE_CREATE_AND_UPDATE,
            match_fields=fields,
            clear_empty=request.clear_empty,
            target_pool_id=UUID(request.target_pool_id) if request.target_pool_id else None,
        )
    except ValueError as error:
        raise Invalid("uuid_parsing") from error
