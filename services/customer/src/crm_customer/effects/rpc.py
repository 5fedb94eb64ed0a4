"""gRPC of places."""

import grpc

from chassis.clock import now
from chassis.errors import Invalid
from chassis.runtime import Runtime
from crm.customer.v1 import customer_service_pb2 as pb
from crm_customer.effects.commands import apply_changes, move_of

MOST_ASSIGNMENTS = 1000


class Places:
    """ApplyAssignments of CustomerService."""

    runtime: Runtime

    def ApplyAssignments(
        self, request: pb.ApplyAssignmentsRequest, context: grpc.ServicerContext
    ) -> pb.ApplyAssignmentsResponse:
        states = [*request.assignments, *(change.state for change in request.changes)]
        if len(states) > MOST_ASSIGNMENTS:
            raise Invalid("too_many_items", max_items=MOST_ASSIGNMENTS)
        try:
            moves = [move_of(change, request.actor_id) for change in request.changes]
            with self.runtime.database.transaction() as session:
                unknown = apply_changes(session, states, moves, now())
        except ValueError as error:
            raise Invalid("malformed_assignment") from error
        return pb.ApplyAssignmentsResponse(unknown_ids=sorted(map(str, unknown)))
