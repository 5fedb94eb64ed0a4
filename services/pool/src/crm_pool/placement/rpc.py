"""Birth for the customer service: place, plan."""

from collections.abc import Sequence
from uuid import UUID

import grpc

from chassis import clock
from chassis.errors import FieldError, Invalid, invalid
from chassis.identifiers import new_id
from chassis.runtime import Runtime
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.pool.v1 import pool_service_pb2 as pb
from crm.pool.v1.pool_events_pb2 import AssignmentState
from crm_pool.assignments.model import place_of
from crm_pool.assignments.recording import Act
from crm_pool.customers.projection import keep_customers
from crm_pool.placement import commands
from crm_pool.placement.commands import Newcomer, Placed

MAX_CUSTOMERS = 1000


class PlacementMethods:
    """The methods of PoolService about birth."""

    _runtime: Runtime

    def PlaceCustomers(self, request: pb.PlaceCustomersRequest, _: grpc.ServicerContext) -> pb.PlaceCustomersResponse:
        """Give new customers their first place."""
        actor_id = _uuid(request.actor_id, "/actor_id")
        newcomers = _newcomers(request.customers, actor_id)
        rows = [
            commands.unreported_row(one.customer_id, customer.name, actor_id)
            for one, customer in zip(newcomers, request.customers, strict=True)
        ]
        with self._runtime.database.transaction() as session:
            keep_customers(session, rows)
            placed = commands.place(session, newcomers)
        return pb.PlaceCustomersResponse(
            placements=[_placement(placed[one.customer_id], one.customer_id) for one in newcomers]
        )

    def PlanPlacement(self, request: pb.PlanPlacementRequest, _: grpc.ServicerContext) -> pb.PlanPlacementResponse:
        """Promise places to rows about to be created, or only tell them."""
        wished = [pb.NewCustomer(customer_id=id_, wish=one.wish) for one in request.wished for id_ in one.customer_ids]
        newcomers = _newcomers(request.customers or wished, _uuid(request.actor_id, "/actor_id"))
        placed = self._rehearse(newcomers, request.rehearsed) if request.rehearsal else self._plan(request, newcomers)
        if request.wished:
            return pb.PlanPlacementResponse(together=_together(newcomers, placed))
        answered = zip(newcomers, placed, strict=True)
        return pb.PlanPlacementResponse(placements=[_placement(one, new.customer_id) for new, one in answered])

    def _plan(self, request: pb.PlanPlacementRequest, newcomers: Sequence[Newcomer]) -> list[Placed]:
        placement_id = _uuid(request.placement_id, "/placement_id")
        with self._runtime.database.transaction() as session:
            return commands.plan(session, placement_id, newcomers)

    def _rehearse(self, newcomers: Sequence[Newcomer], given: Sequence[rows_pb.RehearsedOwner]) -> list[Placed]:
        rehearsed = {
            _uuid(one.owner_id, f"/rehearsed/{place}/owner_id"): one.customers for place, one in enumerate(given)
        }
        with self._runtime.database.reading() as session:
            return commands.rehearse(session, newcomers, rehearsed)

    def CommitPlacement(
        self, _request: pb.CommitPlacementRequest, _: grpc.ServicerContext
    ) -> pb.CommitPlacementResponse:
        """Nothing: the release before calls it, but the creation event says the same."""
        return pb.CommitPlacementResponse()


def _together(newcomers: Sequence[Newcomer], placed: Sequence[Placed]) -> list[pb.PlacedTogether]:
    groups: dict[tuple[bytes, str], pb.PlacedTogether] = {}
    for new, one in zip(newcomers, placed, strict=True):
        if one.assignment:
            one.assignment.ClearField("customer_id")
        key = one.assignment.SerializeToString(deterministic=True) if one.assignment else b"", one.refusal_code
        group = groups.setdefault(key, pb.PlacedTogether(common=one.assignment, refusal_code=one.refusal_code))
        group.customer_ids.append(str(new.customer_id))
    return list(groups.values())


def _newcomers(customers: Sequence[pb.NewCustomer], actor_id: UUID) -> list[Newcomer]:
    if len(customers) > MAX_CUSTOMERS:
        raise _invalid("/customers", "too_long", max_length=MAX_CUSTOMERS)
    act = Act(actor_id, clock.now(), new_id() if len(customers) > 1 else None)
    return [_newcomer(customer, f"/customers/{place}", act) for place, customer in enumerate(customers)]


def _newcomer(customer: pb.NewCustomer, pointer: str, act: Act) -> Newcomer:
    try:
        wish = place_of(customer.wish)
    except ValueError as error:
        raise _invalid(f"{pointer}/wish", "uuid_parsing") from error
    return Newcomer(_uuid(customer.customer_id, f"{pointer}/customer_id"), wish, act.actor_id, act.at, act)


def _uuid(text: str, pointer: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise _invalid(pointer, "uuid_parsing") from error


def _invalid(pointer: str, code: str, **parameters: int) -> Invalid:
    return invalid(FieldError(pointer, code, parameters))


def _placement(placed: Placed, customer_id: UUID) -> pb.Placement:
    """A row that a plan refuses is answered by its id alone."""
    refused = AssignmentState(customer_id=str(customer_id))
    return pb.Placement(assignment=placed.assignment or refused, refusal_code=placed.refusal_code)
