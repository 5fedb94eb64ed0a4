"""gRPC of bulk writes, for the import service alone."""

import threading
from typing import Any
from uuid import UUID

from chassis.clock import now
from chassis.errors import Invalid, TooManyRequests
from chassis.runtime import Runtime
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.identity.v1 import identity_service_pb2 as pb
from crm_identity.imports.commands import rehearse_chunk, write_chunk
from crm_identity.imports.queries import kept_answer
from crm_identity.imports.rules import FIELDS, Chunk

MOST_ROWS = 1000
_MODES = (rows_pb.IMPORT_MODE_CREATE_ONLY, rows_pb.IMPORT_MODE_CREATE_AND_UPDATE)


class BulkWrites:
    """BulkWriteMembers of IdentityService."""

    runtime: Runtime
    slot: threading.Lock

    def BulkWriteMembers(self, request: pb.BulkWriteMembersRequest, context: Any) -> pb.BulkWriteMembersResponse:
        """One at once: chunks wait for the organisation's lock, and imports are to wait outside (design §2.11)."""
        chunk = _chunk(request)
        if chunk.rehearsal:
            with self.runtime.database.reading() as session:
                return rehearse_chunk(session, chunk, request.rows)
        if not self.slot.acquire(blocking=False):
            raise TooManyRequests("bulk_write_busy", retry_after_seconds=1)
        try:
            with self.runtime.database.reading() as session:
                kept = kept_answer(session, chunk.id)
            if kept is not None:
                return kept
            with self.runtime.database.transaction() as session:
                return write_chunk(session, chunk, request.rows, now())
        finally:
            self.slot.release()


def _chunk(request: pb.BulkWriteMembersRequest) -> Chunk:
    """The request's head. Raises Invalid when the caller got it wrong."""
    if request.mode not in _MODES:
        raise Invalid("malformed_chunk", reason="mode")
    if len(request.rows) > MOST_ROWS:
        raise Invalid("too_many_items", max_items=MOST_ROWS)
    if len({row.row_number for row in request.rows}) != len(request.rows):
        raise Invalid("malformed_chunk", reason="row_number")
    names = set(request.fields) or {name for row in request.rows for name in row.values}
    unknown = names - set(FIELDS)
    if unknown:
        raise Invalid("malformed_chunk", reason=f"fields: {min(unknown)[:50]}")
    if len(set(request.fields)) != len(request.fields):
        raise Invalid("malformed_chunk", reason="fields")
    if any(len(row.texts) != len(request.fields) for row in request.rows):
        raise Invalid("malformed_chunk", reason="texts")
    try:
        return Chunk(
            id=UUID(request.chunk_id),
            job_id=UUID(request.job_id),
            actor_id=UUID(request.actor_id),
            update=request.mode == rows_pb.IMPORT_MODE_CREATE_AND_UPDATE,
            clear_empty=request.clear_empty,
            rehearsal=request.rehearsal,
            fields=tuple(request.fields),
        )
    except ValueError as error:
        raise Invalid("uuid_parsing") from error
