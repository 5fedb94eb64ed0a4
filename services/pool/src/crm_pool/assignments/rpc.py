"""Assignments for other services."""

from uuid import UUID

import grpc

from chassis.errors import FieldError, Invalid
from chassis.runtime import Runtime
from crm.pool.v1 import pool_service_pb2 as pb
from crm_pool.assignments import queries

MAX_PAGE = 1000


class AssignmentMethods:
    """The methods of PoolService about assignments."""

    _runtime: Runtime

    def ListAssignments(
        self, request: pb.ListAssignmentsRequest, _: grpc.ServicerContext
    ) -> pb.ListAssignmentsResponse:
        """Current assignments in customer-id order, for projections."""
        size = request.page_size or MAX_PAGE
        try:
            after = UUID(request.after_customer_id) if request.after_customer_id else None
        except ValueError as error:
            errors = [FieldError("/after_customer_id", "uuid_parsing")]
            raise Invalid("validation_failed", errors=errors, count=1) from error
        with self._runtime.database.reading() as session:
            found = queries.page_of_assignments(session, after, max(1, min(size, MAX_PAGE)))
            return pb.ListAssignmentsResponse(assignments=[assignment.state() for assignment in found])
