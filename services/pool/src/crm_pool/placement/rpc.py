"""Birth for the customer service: place, plan."""

import re
from collections.abc import Sequence
from uuid import UUID

import grpc

from chassis import clock
from chassis.errors import FieldError, Invalid, invalid
from chassis.identifiers import new_id
from chassis.runtime import Runtime
from crm.common.v1.place_pb2 import Place as PlaceMessage
from crm.pool.v1 import pool_service_pb2 as pb
from crm_pool.assignments.model import place_of
from crm_pool.assignments.recording import Act
from crm_pool.assignments.rules import Place
from crm_pool.customers.projection import keep_customers
from crm_pool.placement import commands, plans
from crm_pool.placement.commands import Newcomer
from crm_pool.placement.plans import Answered, Wished, Wisher

MAX_CUSTOMERS = 1000
_IDS = re.compile("(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})*")


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
        answers = [placed[one.customer_id] for one in newcomers]
        return pb.PlaceCustomersResponse(
            placements=[pb.Placement(assignment=one.assignment, refusal_code=one.refusal_code) for one in answers]
        )

    def PlanPlacement(self, request: pb.PlanPlacementRequest, _: grpc.ServicerContext) -> pb.PlanPlacementResponse:
        """Promise places to rows about to be created, or only tell them."""
        wished, wisher = _wished(request), Wisher(_uuid(request.actor_id, "/actor_id"), clock.now())
        answered = self._rehearse(request, wished, wisher) if request.rehearsal else self._plan(request, wished, wisher)
        return pb.PlanPlacementResponse(
            placements=_placements(answered, request.customers),
            together=map(_together, answered) if request.wished else (),
        )

    def _plan(self, request: pb.PlanPlacementRequest, wished: Sequence[Wished], wisher: Wisher) -> list[Answered]:
        placement_id = _uuid(request.placement_id, "/placement_id")
        with self._runtime.database.transaction() as session:
            return plans.plan(session, placement_id, wished, wisher)

    def _rehearse(self, request: pb.PlanPlacementRequest, wished: Sequence[Wished], wisher: Wisher) -> list[Answered]:
        rehearsed = {
            _uuid(one.owner_id, f"/rehearsed/{place}/owner_id"): one.customers
            for place, one in enumerate(request.rehearsed)
        }
        with self._runtime.database.reading() as session:
            return plans.rehearse(session, wished, wisher, rehearsed)

    def CommitPlacement(
        self, _request: pb.CommitPlacementRequest, _: grpc.ServicerContext
    ) -> pb.CommitPlacementResponse:
        """Nothing: the release before calls it, but the creation event says the same."""
        return pb.CommitPlacementResponse()


def _wished(request: pb.PlanPlacementRequest) -> list[Wished]:
    """What is wished for, also by a request that says it of each customer."""
    wishes: list[tuple[PlaceMessage, Sequence[str], str]] = [
        (one.wish, one.customer_ids, f"/wished/{place}") for place, one in enumerate(request.wished)
    ]
    wishes += [(one.wish, [one.customer_id], f"/customers/{place}") for place, one in enumerate(request.customers)]
    if sum(len(ids) for _, ids, _ in wishes) > MAX_CUSTOMERS:
        raise _invalid("/wished" if request.wished else "/customers", "too_long", max_length=MAX_CUSTOMERS)
    wished: dict[Place | None, list[str]] = {}
    for wish, ids, pointer in wishes:
        wished.setdefault(_wish(wish, pointer), []).extend(_ids(ids, pointer))
    return [Wished(wish, ids) for wish, ids in wished.items() if ids]


def _ids(texts: Sequence[str], pointer: str) -> Sequence[str]:
    """The ids if all are written as this house writes them: they go on as text."""
    if not _IDS.fullmatch("".join(texts)) or any(len(one) != 36 for one in texts):
        raise _invalid(pointer, "uuid_parsing")
    return texts


def _placements(answered: Sequence[Answered], customers: Sequence[pb.NewCustomer]) -> list[pb.Placement]:
    """The answers one by one, in the order of `customers`."""
    if not customers:
        return []
    of_each = {id_: one for one in answered for id_ in one.customer_ids}
    return [_placement(of_each[one.customer_id], one.customer_id) for one in customers]


def _placement(answered: Answered, customer_id: str) -> pb.Placement:
    """A row that a plan refuses is answered by its id alone."""
    placement = pb.Placement(assignment=answered.state, refusal_code=answered.refusal_code)
    placement.assignment.customer_id = customer_id
    return placement


def _together(answered: Answered) -> pb.PlacedTogether:
    return pb.PlacedTogether(
        common=answered.state, refusal_code=answered.refusal_code, customer_ids=answered.customer_ids
    )


def _newcomers(customers: Sequence[pb.NewCustomer], actor_id: UUID) -> list[Newcomer]:
    if len(customers) > MAX_CUSTOMERS:
        raise _invalid("/customers", "too_long", max_length=MAX_CUSTOMERS)
    act = Act(actor_id, clock.now(), new_id() if len(customers) > 1 else None)
    return [_newcomer(customer, f"/customers/{place}", act) for place, customer in enumerate(customers)]


def _newcomer(customer: pb.NewCustomer, pointer: str, act: Act) -> Newcomer:
    wish, customer_id = _wish(customer.wish, pointer), _uuid(customer.customer_id, f"{pointer}/customer_id")
    return Newcomer(customer_id, wish, act.actor_id, act.at, act)


def _wish(message: PlaceMessage, pointer: str) -> Place | None:
    try:
        return place_of(message)
    except ValueError as error:
        raise _invalid(f"{pointer}/wish", "uuid_parsing") from error


def _uuid(text: str, pointer: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise _invalid(pointer, "uuid_parsing") from error


def _invalid(pointer: str, code: str, **parameters: int) -> Invalid:
    return invalid(FieldError(pointer, code, parameters))
