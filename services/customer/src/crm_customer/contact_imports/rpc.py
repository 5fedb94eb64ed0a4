"""gRPC of bulk writes of contacts, for the import service alone."""

from collections.abc import Sequence
from typing import cast

import grpc
from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.runtime import Runtime
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.customer.v1 import customer_service_pb2 as pb
from crm_customer.contact_imports.commands import write_contacts
from crm_customer.contact_imports.queries import judge
from crm_customer.contact_imports.rules import KNOWN, MATCHABLE
from crm_customer.imports.chunks import Admission, chunk_of, written_once
from crm_customer.settings import Settings

_MODES = (
    rows_pb.IMPORT_MODE_CREATE_ONLY,
    rows_pb.IMPORT_MODE_CREATE_AND_UPDATE,
    rows_pb.IMPORT_MODE_ASK,
)


class ContactImports:
    """BulkWriteContacts of CustomerService."""

    runtime: Runtime
    bulk_writes: Admission

    def BulkWriteContacts(
        self, request: pb.BulkWriteContactsRequest, context: grpc.ServicerContext
    ) -> pb.BulkWriteContactsResponse:
        chunk = chunk_of(request, KNOWN.__contains__, MATCHABLE, _MODES)
        pattern = cast(Settings, self.runtime.settings).mobile_pattern

        def write(session: Session) -> Sequence[rows_pb.ImportRowResult]:
            moment, actor = now(), self.runtime.actors.actor(session, chunk.actor_id)
            language = actor.language if actor else "zh"
            judged = judge(session, chunk, request.rows, pattern, moment, language)
            return write_contacts(session, judged, moment)

        with self.bulk_writes.admitted():
            results = written_once(self.runtime.database, chunk, "contact-matching", write)
        return pb.BulkWriteContactsResponse(results=results)
