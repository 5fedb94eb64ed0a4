"""Who may call which gRPC method (rpc.txt), asked of the running services."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from chassis.identifiers import new_id
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.common.v1 import selection_pb2
from crm.customer.v1 import customer_service_pb2 as customer
from crm.identity.v1 import identity_service_pb2 as identity
from crm.pool.v1 import pool_service_pb2 as pool
from tests.matrix.services import METHODS, call, signed
from tests.matrix.table import NO_CASE, TABLE, read_grid
from tests.matrix.world import World

pytestmark = pytest.mark.system

GRID = read_grid(Path(__file__).with_name("rpc.txt"))
CALLERS, ACTORS = GRID["callers"], GRID["actors"]
_LETTERS = {grpc.StatusCode.UNAUTHENTICATED: "U", grpc.StatusCode.PERMISSION_DENIED: "F"}
_ID: Callable[[], str] = lambda: str(new_id())
# A valid request that changes nothing, for the member with this id.
REQUESTS: dict[str, Callable[[str], Any]] = {
    "customer.ResolveSelection": lambda _: customer.ResolveSelectionRequest(
        selection=selection_pb2.Selection(ids=selection_pb2.IdList(ids=[_ID()]))
    ),
    "customer.GetCustomerFacts": lambda _: customer.GetCustomerFactsRequest(customer_ids=[_ID()]),
    "customer.ApplyAssignments": lambda _: customer.ApplyAssignmentsRequest(),
    "customer.BulkWriteCustomers": lambda actor: customer.BulkWriteCustomersRequest(
        job_id=_ID(), chunk_id=_ID(), actor_id=actor, mode=rows_pb.IMPORT_MODE_CREATE_ONLY, match_fields=["name"]
    ),
    "customer.BulkWriteContacts": lambda actor: customer.BulkWriteContactsRequest(
        job_id=_ID(), chunk_id=_ID(), actor_id=actor, mode=rows_pb.IMPORT_MODE_CREATE_ONLY, match_fields=["name"]
    ),
    "customer.BulkWriteActivities": lambda actor: customer.BulkWriteActivitiesRequest(
        job_id=_ID(), chunk_id=_ID(), actor_id=actor
    ),
    "customer.RevertRows": lambda actor: customer.RevertRowsRequest(
        job_id=_ID(), actor_id=actor, kind=customer.RECORD_KIND_CUSTOMERS
    ),
    "customer.ExportRows": lambda actor: customer.ExportRowsRequest(
        actor_id=actor,
        kind=customer.RECORD_KIND_CUSTOMERS,
        selection=selection_pb2.Selection(ids=selection_pb2.IdList(ids=[_ID()])),
    ),
    "customer.ListRecipients": lambda _: customer.ListRecipientsRequest(
        selection=selection_pb2.Selection(ids=selection_pb2.IdList(ids=[_ID()])), address=customer.ADDRESS_KIND_EMAIL
    ),
    "customer.ListCustomerStates": lambda _: customer.ListCustomerStatesRequest(page_size=1),
    "identity.ExportDirectory": lambda _: identity.ExportDirectoryRequest(),
    "identity.BulkWriteMembers": lambda actor: identity.BulkWriteMembersRequest(
        job_id=_ID(), chunk_id=_ID(), actor_id=actor, mode=rows_pb.IMPORT_MODE_CREATE_ONLY
    ),
    "pool.PlaceCustomers": lambda actor: pool.PlaceCustomersRequest(actor_id=actor),
    "pool.PlanPlacement": lambda actor: pool.PlanPlacementRequest(placement_id=_ID(), actor_id=actor),
    "pool.CommitPlacement": lambda actor: pool.CommitPlacementRequest(placement_id=_ID(), actor_id=actor),
    "pool.ListAssignments": lambda _: pool.ListAssignmentsRequest(page_size=1),
    "customer.ListCustomFields": lambda _: customer.ListCustomFieldsRequest(),
    "pool.ListAssignmentChanges": lambda _: pool.ListAssignmentChangesRequest(),
    "pool.ListPools": lambda _: pool.ListPoolsRequest(),
}


def test_the_table_has_every_method_and_no_other() -> None:
    assert set(CALLERS) == set(METHODS)
    assert set(ACTORS) <= set(METHODS)


@pytest.mark.parametrize("method", CALLERS)
def test_a_method_answers_the_services_that_the_table_names(world: World, method: str) -> None:
    actor = world.people.members["administrator"].id
    answered = {
        caller: _letter(world, method, caller, actor, _token(world, method, caller)) for caller in CALLERS[method]
    }

    assert answered == CALLERS[method]


@pytest.mark.parametrize("method", ACTORS)
def test_a_method_does_for_a_member_what_the_member_may_do(world: World, method: str) -> None:
    service = next(caller for caller, letter in CALLERS[method].items() if letter == "✓")
    expected = {actor: letter for actor, letter in ACTORS[method].items() if letter != NO_CASE}
    answered = {actor: _letter(world, method, service, _actor(world, actor)) for actor in expected}

    assert answered == expected


@pytest.mark.parametrize("actor", ["account", "sales", "supervisor", "operations", "administrator"])
def test_a_selection_holds_what_the_member_sees_and_no_other(world: World, actor: str) -> None:
    places, row = world.places(actor), TABLE["GET /customers/{customer_id}"]
    readable = {id_ for id_, place in places.items() if row.expected(actor, place) in "✓M"}
    searchable = {id_ for id_ in readable if row.expected(actor, places[id_]) == "✓"}
    numbers = {one.id: one.contact["mobile"] for one in world.standing()}

    listed = _selected(world, actor, ids=selection_pb2.IdList(ids=[*places]))
    assert (set(listed.customer_ids), set(listed.invisible_ids)) == (readable, places.keys() - readable)
    matching = _selected(world, actor, filter=selection_pb2.CustomerFilter(search=world.people.tag))
    assert set(matching.customer_ids) & places.keys() == readable
    for id_ in readable:
        numbered = _selected(world, actor, filter=selection_pb2.CustomerFilter(search=numbers[id_]))
        assert list(numbered.customer_ids) == ([id_] if id_ in searchable else [])


def _selected(world: World, actor: str, **selection: Any) -> customer.ResolveSelectionResponse:
    request = customer.ResolveSelectionRequest(selection=selection_pb2.Selection(**selection))
    answer: customer.ResolveSelectionResponse = call(
        world.whole.system, "pool", "customer.ResolveSelection", request, actor=world.people.members[actor].id
    )
    return answer


def _letter(world: World, method: str, service: str, actor: str, token: str | None = None) -> str:
    try:
        call(world.whole.system, service, method, _request(world, method, actor), actor=actor, token=token)
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()  # type: ignore[attr-defined]
        return _LETTERS.get(code, code.name)
    return "✓"


def _request(world: World, method: str, actor: str) -> Any:
    """A card is asked of a customer that everybody sees."""
    if method == "customer.GetHandoverCard":
        return customer.GetHandoverCardRequest(customer_id=world.customer("sales", "public").id)
    return REQUESTS[method](actor)


def _token(world: World, method: str, caller: str) -> str | None:
    """None: the service's own."""
    other = "customer" if method.startswith("pool.") else "pool"
    return {
        "none": "",
        "member": world.people.members["administrator"].token,
        "stray": signed(world.whole.system, "import", other),
    }.get(caller)


def _actor(world: World, actor: str) -> str:
    if actor == "unnamed":
        return ""
    return _ID() if actor == "unknown" else world.people.members[actor].id
