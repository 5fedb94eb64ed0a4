"""Asking customer which customers match, and telling it at once what became of them; the event says the same again."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from uuid import UUID

from batch.commands import MAX_ITEMS
from batch.selection import CustomerFilter, filter_message
from chassis.errors import Refusal
from chassis.events.outbox import chunks
from chassis.rpc.client import AFTER_COMMIT_TIMEOUT_SECONDS, on_behalf_of
from chassis.rpc.errors import peer_errors
from chassis.runtime import Runtime
from crm.common.v1 import selection_pb2
from crm.customer.v1.customer_service_pb2 import ApplyAssignmentsRequest, ResolveSelectionRequest
from crm.customer.v1.customer_service_pb2_grpc import CustomerServiceStub
from crm_pool.assignments.model import Change

RESOLVE_TIMEOUT_SECONDS = 5.0


def resolve(
    runtime: Runtime, actor_id: UUID, wanted: CustomerFilter, zone: str, at: str = "/selection/filter"
) -> list[UUID]:
    """The customers that match and that the actor sees (design rule 7); days are those of the IANA zone `zone`. `at`: where
    the caller wrote the filter, as a JSON pointer.

    Raises customer's refusal: Conflict selection_too_large above 20,000, Invalid for values it does not know. Raises
    Unavailable when customer is away.
    """
    request = ResolveSelectionRequest(
        selection=selection_pb2.Selection(filter=filter_message(wanted, zone)),
        limit=MAX_ITEMS,
    )
    stub = CustomerServiceStub(runtime.peers.channel("customer"))
    try:
        with peer_errors("customer"):
            found = stub.ResolveSelection(request, metadata=on_behalf_of(actor_id), timeout=RESOLVE_TIMEOUT_SECONDS)
    except Refusal as refusal:
        refusal.errors = tuple(replace(one, pointer=f"{at}{one.pointer}") for one in refusal.errors)
        raise
    return [UUID(id_) for id_ in found.customer_ids]


def tell_customer(runtime: Runtime, actor_id: UUID | None, changes: Sequence[Change]) -> Callable[[], None]:
    """The call to be made after the commit. Its failure is logged by whoever runs it, never the user's error.

    `actor_id`: the member who decided; None: the system.
    """
    messages, actor = [change.message() for change in changes], str(actor_id or "")

    def call() -> None:
        stub = CustomerServiceStub(runtime.peers.channel("customer"))
        for part in chunks(messages):
            request = ApplyAssignmentsRequest(changes=part, actor_id=actor)
            stub.ApplyAssignments(request, timeout=AFTER_COMMIT_TIMEOUT_SECONDS)

    return call
