"""Calls to `pool`: first places of new customers, and everything it knows for rebuilding projections."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from chassis.rpc.client import AFTER_COMMIT_TIMEOUT_SECONDS, on_behalf_of
from chassis.rpc.errors import peer_errors
from chassis.runtime import Runtime
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.pool.v1 import pool_events_pb2
from crm.pool.v1 import pool_service_pb2 as pb
from crm.pool.v1.pool_service_pb2_grpc import PoolServiceStub

_PLAN_TIMEOUT_SECONDS = 10
_PAGE_TIMEOUT_SECONDS = 10


def place(runtime: Runtime, actor_id: UUID, customer: pb.NewCustomer) -> pb.Placement:
    """Give a customer just created its first place. Raises Unavailable when pool is away or slower than 300 ms."""
    with peer_errors("pool"):
        reply = _stub(runtime).PlaceCustomers(
            pb.PlaceCustomersRequest(customers=[customer], actor_id=str(actor_id)),
            timeout=AFTER_COMMIT_TIMEOUT_SECONDS,
            metadata=on_behalf_of(actor_id),
        )
    return reply.placements[0]


def plan(
    runtime: Runtime,
    actor_id: UUID,
    placement_id: UUID,
    wished: Sequence[pb.WishedTogether],
    rehearsed: Sequence[rows_pb.RehearsedOwner] | None = None,
) -> Sequence[pb.PlacedTogether]:
    """Where customers about to be created would lie, or why not, each in one answer. With `rehearsed`, what a rehearsal gave
    to owners before, pool promises nothing. Raises Unavailable.
    """
    with peer_errors("pool"):
        reply = _stub(runtime).PlanPlacement(
            pb.PlanPlacementRequest(
                placement_id=str(placement_id),
                actor_id=str(actor_id),
                wished=wished,
                rehearsal=rehearsed is not None,
                rehearsed=rehearsed or (),
            ),
            timeout=_PLAN_TIMEOUT_SECONDS,
            metadata=on_behalf_of(actor_id),
        )
    return reply.together


def all_assignments(runtime: Runtime) -> Iterator[Sequence[pool_events_pb2.AssignmentState]]:
    """Every assignment, in pages. Raises Unavailable."""
    after = ""
    while True:
        with peer_errors("pool"):
            page = _stub(runtime).ListAssignments(
                pb.ListAssignmentsRequest(after_customer_id=after), timeout=_PAGE_TIMEOUT_SECONDS
            )
        if not page.assignments:
            return
        yield page.assignments
        after = page.assignments[-1].customer_id


@dataclass(frozen=True)
class Known:
    """How far the effects and the place of a customer are known."""

    customer_id: UUID
    effects_version: int
    assignment_version: int


def changes_after(runtime: Runtime, known: Sequence[Known]) -> Sequence[pb.RecordedChange]:
    """What happened to customers after the effects known, by customer and in order. Raises Unavailable."""
    asked = [pb.KnownAssignment(customer_id=str(one.customer_id), version=one.effects_version) for one in known]
    with peer_errors("pool"):
        request = pb.ListAssignmentChangesRequest(known=asked)
        return _stub(runtime).ListAssignmentChanges(request, timeout=_PAGE_TIMEOUT_SECONDS).changes


def changes_of(runtime: Runtime, customer_id: UUID) -> Sequence[pb.RecordedChange]:
    """Everything that happened to a customer's place, in order. Raises Unavailable when pool is away or slower than 300 ms."""
    with peer_errors("pool"):
        request = pb.ListAssignmentChangesRequest(known=[pb.KnownAssignment(customer_id=str(customer_id))])
        return _stub(runtime).ListAssignmentChanges(request, timeout=AFTER_COMMIT_TIMEOUT_SECONDS).changes


def all_pools(runtime: Runtime) -> Sequence[pool_events_pb2.Pool]:
    """Every pool. Raises Unavailable."""
    with peer_errors("pool"):
        return _stub(runtime).ListPools(pb.ListPoolsRequest(), timeout=_PAGE_TIMEOUT_SECONDS).pools


def _stub(runtime: Runtime) -> PoolServiceStub:
    return PoolServiceStub(runtime.peers.channel("pool"))
