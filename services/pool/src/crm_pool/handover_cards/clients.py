"""Asking customer what a new owner should know; without an answer the card says less."""

from uuid import UUID

from chassis.errors import Refusal, Unavailable
from chassis.logs import get_logger
from chassis.rpc.client import on_behalf_of
from chassis.rpc.errors import peer_errors
from chassis.runtime import Runtime
from crm.customer.v1.customer_service_pb2 import GetHandoverCardRequest, GetHandoverCardResponse
from crm.customer.v1.customer_service_pb2_grpc import CustomerServiceStub

TIMEOUT_SECONDS = 0.3

log = get_logger(__name__)


def ask_customer(runtime: Runtime, actor_id: UUID, customer_id: UUID) -> tuple[GetHandoverCardResponse | None, bool]:
    """What customer tells the actor, None when it says nothing; and whether it is away. Raises nothing."""
    stub = CustomerServiceStub(runtime.peers.channel("customer"))
    request = GetHandoverCardRequest(customer_id=str(customer_id))
    try:
        with peer_errors("customer"):
            return stub.GetHandoverCard(request, metadata=on_behalf_of(actor_id), timeout=TIMEOUT_SECONDS), False
    except Unavailable:
        return None, True
    except Refusal as refusal:
        log.info("handover_card_refused", code=refusal.code)
        return None, False
