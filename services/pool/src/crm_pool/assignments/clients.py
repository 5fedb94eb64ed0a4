"""Asking customer which customers match, and telling it at once what became of them; the event says the same again."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from google.protobuf.timestamp_pb2 import Timestamp

from batch.commands import MAX_ITEMS
from chassis.errors import Refusal
from chassis.events.outbox import chunks
from chassis.rpc.client import AFTER_COMMIT_TIMEOUT_SECONDS, on_behalf_of
from chassis.rpc.errors import peer_errors
from chassis.runtime import Runtime
from crm.common.v1 import selection_pb2
from crm.customer.v1.customer_service_pb2 import ApplyAssignmentsRequest, ResolveSelectionRequest
from crm.customer.v1.customer_service_pb2_grpc import CustomerServiceStub
from crm_pool.assignments.model import Change
from crm_pool.assignments.views import CustomerFilter

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
        selection=selection_pb2.Selection(filter=_filter(wanted, zone)),
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


def _filter(wanted: CustomerFilter, zone: str) -> selection_pb2.CustomerFilter:
    texts = wanted.model_dump(mode="json", exclude={"created_from", "created_to", "conditions"}, exclude_none=True)
    others: dict[str, Any] = {name: str(value) for name, value in texts.items()}
    return selection_pb2.CustomerFilter(
        **others,
        created_from=_moment(wanted.created_from, time.min, zone),
        created_to=_moment(wanted.created_to, time.max, zone),
        conditions=[selection_pb2.FieldCondition(**one.model_dump()) for one in wanted.conditions],
    )


def _moment(day: date | None, clock: time, zone: str) -> Timestamp | None:
    if day is None:
        return None
    try:
        moment = datetime.combine(day, clock, ZoneInfo(zone)).astimezone(UTC)
    except OverflowError:
        # At the very ends of the calendar, where UTC has no such moment.
        moment = datetime.combine(day, clock, UTC)
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
