"""Telling customer at once, so that users read their own write; the event says the same again."""

from collections.abc import Callable, Sequence

from chassis.events.outbox import chunks
from chassis.rpc.client import AFTER_COMMIT_TIMEOUT_SECONDS
from chassis.runtime import Runtime
from crm.customer.v1.customer_service_pb2 import ApplyAssignmentsRequest
from crm.customer.v1.customer_service_pb2_grpc import CustomerServiceStub
from crm_pool.assignments.model import Assignment


def tell_customer(runtime: Runtime, assignments: Sequence[Assignment]) -> Callable[[], None]:
    """The call to be made after the commit. Its failure is logged by whoever runs it, never the user's error."""
    states = [assignment.state() for assignment in assignments]

    def call() -> None:
        stub = CustomerServiceStub(runtime.peers.channel("customer"))
        for part in chunks(states):
            stub.ApplyAssignments(ApplyAssignmentsRequest(assignments=part), timeout=AFTER_COMMIT_TIMEOUT_SECONDS)

    return call
