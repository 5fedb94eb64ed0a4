"""gRPC of bulk writes of follow-ups, for the import service alone."""

from collections.abc import Sequence
from typing import cast

import grpc
from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.runtime import Runtime
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.customer.v1 import customer_service_pb2 as pb
from crm_customer.activity_imports.commands import write_follow_ups
from crm_customer.activity_imports.queries import judge
from crm_customer.activity_imports.rules import KNOWN
from crm_customer.imports.chunks import Admission, chunk_of, written_once
from crm_customer.settings import Settings


class ActivityImports:
    """BulkWriteActivities of CustomerService."""

    runtime: Runtime
    bulk_writes: Admission

    def BulkWriteActivities(
        self, request: pb.BulkWriteActivitiesRequest, context: grpc.ServicerContext
    ) -> pb.BulkWriteActivitiesResponse:
        chunk = chunk_of(request, KNOWN.__contains__)
        pattern = cast(Settings, self.runtime.settings).mobile_pattern

        def write(session: Session) -> Sequence[rows_pb.ImportRowResult]:
            moment = now()
            return write_follow_ups(session, judge(session, chunk, request.rows, pattern, moment), moment)

        with self.bulk_writes.admitted():
            results = written_once(self.runtime.database, chunk, "activity-matching", write)
        return pb.BulkWriteActivitiesResponse(results=results)
