"""Asking customer who its customers are, as the member who writes to them or about them."""

from uuid import UUID

from chassis.errors import Forbidden, Refusal, Unavailable
from chassis.logs import get_logger
from chassis.rpc.client import on_behalf_of
from chassis.rpc.errors import peer_errors
from chassis.runtime import Runtime
from crm.common.v1.selection_pb2 import IdList, Selection
from crm.customer.v1 import customer_service_pb2 as pb
from crm.customer.v1.customer_service_pb2_grpc import CustomerServiceStub

_NAME_SECONDS = 0.3

log = get_logger(__name__)


def list_recipients(
    runtime: Runtime, actor_id: UUID, request: pb.ListRecipientsRequest, seconds: float
) -> pb.ListRecipientsResponse:
    """One page of the customers of a selection that the actor sees. Raises customer's refusal, Unavailable when it is away."""
    stub = CustomerServiceStub(runtime.peers.channel("customer"))
    with peer_errors("customer"):
        return stub.ListRecipients(request, timeout=seconds, metadata=on_behalf_of(actor_id))


def customer_name(runtime: Runtime, actor_id: UUID, customer_id: UUID) -> str | None:
    """What a customer is called, None when the actor does not see it; empty when customer does not tell. Raises nothing."""
    selection = Selection(ids=IdList(ids=[str(customer_id)]))
    request = pb.ListRecipientsRequest(selection=selection, address=pb.ADDRESS_KIND_NONE, page_size=1)
    try:
        found = list_recipients(runtime, actor_id, request, _NAME_SECONDS).recipients
    except Forbidden:
        return None
    except Unavailable:
        return ""
    except Refusal as refusal:
        log.warning("customer_name_refused", code=refusal.code)
        return ""
    return found[0].customer_name if found else None
