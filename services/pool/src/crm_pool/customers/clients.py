"""Asking customer for facts as they are this moment."""

from collections.abc import Collection, Sequence
from uuid import UUID

from chassis.rpc.errors import peer_errors
from chassis.runtime import Runtime
from crm.customer.v1.customer_events_pb2 import CustomerState
from crm.customer.v1.customer_service_pb2 import GetCustomerFactsRequest
from crm.customer.v1.customer_service_pb2_grpc import CustomerServiceStub

_TIMEOUT_SECONDS = 5.0


def facts_now(runtime: Runtime, customer_ids: Collection[UUID]) -> Sequence[CustomerState]:
    """The customers' facts, those that customer does not know left out; 1,000 at most. Raises Unavailable."""
    stub = CustomerServiceStub(runtime.peers.channel("customer"))
    with peer_errors("customer"):
        request = GetCustomerFactsRequest(customer_ids=map(str, customer_ids))
        return stub.GetCustomerFacts(request, timeout=_TIMEOUT_SECONDS).customers
