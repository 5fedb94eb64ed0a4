"""Asking customer for facts as they are this moment."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from chassis.rpc.errors import peer_errors
from chassis.runtime import Runtime
from crm.customer.v1.customer_events_pb2 import CustomerState
from crm.customer.v1.customer_service_pb2 import GetCustomerFactsRequest
from crm.customer.v1.customer_service_pb2_grpc import CustomerServiceStub
from crm_pool.customers.projection import facts_versions

_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class FactsNow:
    """What customer says beyond the facts known here: those that are at another version, and who does not exist there."""

    changed: Sequence[CustomerState] = ()
    missing: Collection[UUID] = ()


def facts_now(runtime: Runtime, customer_ids: Collection[UUID]) -> FactsNow:
    """The facts of these customers beyond those known here; 1,000 at most. Raises Unavailable."""
    with runtime.database.reading() as session:
        known = facts_versions(session, customer_ids)
    return facts_beyond(runtime, {id_: known.get(id_, 0) for id_ in customer_ids})


def facts_beyond(runtime: Runtime, known: Mapping[UUID, int]) -> FactsNow:
    """The same beyond these versions; 0: nothing is known. Raises Unavailable."""
    if not known:
        return FactsNow()
    stub = CustomerServiceStub(runtime.peers.channel("customer"))
    with peer_errors("customer"):
        request = GetCustomerFactsRequest(customer_ids=map(str, known), known_versions=known.values())
        reply = stub.GetCustomerFacts(request, timeout=_TIMEOUT_SECONDS)
    return FactsNow(reply.customers, frozenset(map(UUID, reply.missing_ids)))
