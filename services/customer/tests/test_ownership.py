"""Places decided by pool reach the customers, by event, RPC and rebuild; an older one never wins."""

from itertools import permutations
from typing import Any

import grpc
import pytest

from chassis.events.consumer import Event, apply_events
from chassis.identifiers import new_id
from chassis.rpc.client import on_behalf_of
from crm.common.v1.place_pb2 import Place
from crm.common.v1.selection_pb2 import CustomerFilter, Selection
from crm.customer.v1 import customer_service_pb2 as pb
from crm.identity.v1.identity_events_pb2 import MemberChanged, MemberDeactivated
from crm.pool.v1.pool_events_pb2 import AssignmentChange, AssignmentsChanged, PoolChanged, PoolDeleted
from crm_customer.effects.events import ASSIGNMENTS, ASSIGNMENTS_PROJECTION
from crm_customer.ownership.events import OWNER_DEPARTMENTS, POOLS, POOLS_PROJECTION
from directory.events import directory_subscription


def _event(message: Any) -> Event:
    return Event(new_id(), message, "2026-11-22T00:00:00+00:00", "")


def _changed(*states: Any) -> Event:
    return _event(AssignmentsChanged(changes=[AssignmentChange(state=state) for state in states]))


def _owner(customers: Any, customer: Any) -> str | None:
    seen = customers.request("GET", f"/customers/{customer['id']}", customers.organisation.admin).json
    return seen["owner"]["name"] if seen["owner"] else None


@pytest.mark.parametrize("ways", [("event", "rpc"), ("rpc", "event"), ("event", "event"), ("rpc", "rpc")])
@pytest.mark.parametrize("versions", list(permutations((2, 3))))
def test_an_older_place_never_overwrites_a_newer_one(customers: Any, rpc: Any, ways: Any, versions: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    owners = {2: organisation.colleague.id, 3: organisation.rival.id}

    for way, version in zip(ways, versions, strict=True):
        state = customers.assignment(customer["id"], version, Place(owner_id=str(owners[version])))
        if way == "event":
            apply_events(customers.database, ASSIGNMENTS, [_changed(state)])
        else:
            reply = rpc("pool").ApplyAssignments(pb.ApplyAssignmentsRequest(assignments=[state]))
            assert not reply.unknown_ids

    assert _owner(customers, customer) == "王五"
    assert customers.listed(organisation.colleague) == []
    assert customers.listed(organisation.rival_supervisor) == [customer["name"]]


def test_many_states_of_one_customer_in_one_set_end_at_the_newest(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    states = [
        customers.assignment(customer["id"], version, Place(owner_id=str(member.id)))
        for version, member in ((4, organisation.rival), (2, organisation.colleague), (3, organisation.supervisor))
    ]

    apply_events(customers.database, ASSIGNMENTS, [_changed(*states[:2]), _changed(states[2])])

    assert _owner(customers, customer) == "王五"


def test_who_claims_a_customer_changes_nothing_of_when_it_was_created(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    claimed = customers.assignment(customer["id"], 2, Place(owner_id=str(organisation.rival.id)))

    apply_events(customers.database, ASSIGNMENTS, [_changed(claimed)])

    seen = customers.request("GET", f"/customers/{customer['id']}", organisation.rival).json
    assert (seen["created_at"], seen["version"]) == (customer["created_at"], customer["version"])


def test_a_place_in_a_pool_takes_the_owner_and_the_department_away(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)

    customers.move(customer, 2, Place(pool_id=str(customers.hidden_pool)))

    assert _owner(customers, customer) is None
    assert customers.listed(organisation.sales) == []
    assert customers.listed(organisation.supervisor, pool_id=str(customers.hidden_pool)) == [customer["name"]]


def test_unknown_customers_are_reported_and_the_others_applied(customers: Any, rpc: Any) -> None:
    organisation = customers.organisation
    customer, stranger = customers.create(organisation.sales), new_id()
    states = [
        customers.assignment(id_, 2, Place(owner_id=str(organisation.rival.id))) for id_ in (customer["id"], stranger)
    ]

    reply = rpc("pool").ApplyAssignments(pb.ApplyAssignmentsRequest(assignments=states))

    assert list(reply.unknown_ids) == [str(stranger)]
    assert _owner(customers, customer) == "王五"


def test_only_pool_may_apply_places(customers: Any, rpc: Any) -> None:
    with customers.refused("forbidden", grpc.StatusCode.PERMISSION_DENIED):
        rpc("notify").ApplyAssignments(pb.ApplyAssignmentsRequest())


@pytest.mark.parametrize(
    "state", [{"customer_id": "x", "version": 1}, {"customer_id": str(new_id()), "version": 1, "expires_on": "soon"}]
)
def test_malformed_places_are_refused(customers: Any, rpc: Any, state: Any) -> None:
    with customers.refused("malformed_assignment", grpc.StatusCode.INVALID_ARGUMENT):
        rpc("pool").ApplyAssignments(pb.ApplyAssignmentsRequest(assignments=[state]))


@pytest.mark.parametrize("directory_first", [True, False])
def test_customers_follow_an_owner_who_moves_to_another_department(customers: Any, directory_first: bool) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    state = organisation.member_state(organisation.sales, version=2)
    state.department_id = str(organisation.south)
    moved = _event(MemberChanged(members=[state]))

    order = [directory_subscription("customer"), OWNER_DEPARTMENTS]
    for subscription in order if directory_first else order[::-1]:
        apply_events(customers.database, subscription, [moved])

    assert customers.listed(organisation.supervisor) == []
    assert customers.listed(organisation.rival_supervisor) == [customer["name"]]
    older = _event(MemberChanged(members=[organisation.member_state(organisation.sales)]))
    apply_events(customers.database, OWNER_DEPARTMENTS, [older])
    assert customers.listed(organisation.rival_supervisor) == [customer["name"]]


def _told(customers: Any, message: Any, *subscriptions: Any) -> None:
    for subscription in subscriptions:
        apply_events(customers.database, subscription, [_event(message)])


def _left(customers: Any, member: Any, version: int, *, active: bool = False) -> None:
    state = customers.organisation.member_state(member, version=version)
    state.active = active
    message = MemberChanged(members=[state]) if active else MemberDeactivated(members=[state])
    _told(customers, message, directory_subscription("customer"), OWNER_DEPARTMENTS)


def _listed_as_left(customers: Any, member: Any, **query: Any) -> list[str]:
    return customers.listed(member, view="owner_left", **query)


def test_customers_are_listed_as_left_from_the_owners_leaving_until_the_return(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.colleague, "李四的")
    customers.create(organisation.sales, "张三的")
    assert _listed_as_left(customers, organisation.supervisor) == []

    _left(customers, organisation.colleague, 2)

    for sort in ("-created_at", "created_at", "-updated_at", "updated_at"):
        assert _listed_as_left(customers, organisation.supervisor, sort=sort) == ["李四的"]
    assert _listed_as_left(customers, organisation.admin, search="李四") == ["李四的"]
    assert _listed_as_left(customers, organisation.admin, owner_id=str(organisation.sales.id)) == []
    assert _listed_as_left(customers, organisation.rival_supervisor) == []
    shown = customers.request("GET", f"/customers/{customer['id']}", organisation.supervisor).json
    assert (shown["owner"]["name"], shown["owner"]["active"], shown["version"]) == ("李四", False, 1)

    _left(customers, organisation.colleague, 3, active=True)

    assert _listed_as_left(customers, organisation.supervisor) == []
    shown = customers.request("GET", f"/customers/{customer['id']}", organisation.supervisor).json
    assert shown["owner"]["active"] is True


def test_a_customer_handed_over_or_released_is_not_listed_as_left_any_more(customers: Any) -> None:
    organisation = customers.organisation
    given, released, late = (customers.create(organisation.colleague, name) for name in ("交接的", "释放的", "迟到的"))
    _left(customers, organisation.colleague, 2)

    customers.move(given, 2, Place(owner_id=str(organisation.sales.id)))
    customers.move(released, 2, Place(pool_id=str(customers.open_pool)))

    assert _listed_as_left(customers, organisation.supervisor) == ["迟到的"]
    customers.move(given, 3, Place(owner_id=str(organisation.colleague.id)))
    assert _listed_as_left(customers, organisation.supervisor) == ["迟到的", "交接的"]
    etag = {"If_Match": '"1"'}
    assert customers.request("DELETE", f"/customers/{late['id']}", organisation.admin, headers=etag).status_code == 204
    assert _listed_as_left(customers, organisation.supervisor) == ["交接的"]


def test_customers_in_the_recycle_bin_follow_their_owner_too(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.colleague)
    path = f"/customers/{customer['id']}"
    assert customers.request("DELETE", path, organisation.admin, headers={"If_Match": '"1"'}).status_code == 204

    _left(customers, organisation.colleague, 2)
    assert customers.request("POST", f"{path}:restore", organisation.admin).status_code == 200

    assert _listed_as_left(customers, organisation.supervisor) == [customer["name"]]


def test_a_selection_takes_the_view_of_leavers_customers(customers: Any, rpc: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.colleague)
    customers.create(organisation.sales)
    _left(customers, organisation.colleague, 2)
    request = pb.ResolveSelectionRequest(selection=Selection(filter=CustomerFilter(view="owner_left")))

    reply = rpc("pool").ResolveSelection(request, metadata=on_behalf_of(organisation.supervisor.id))

    assert list(reply.customer_ids) == [customer["id"]]


def test_departments_and_leavings_that_went_astray_are_drift_and_rebuilt(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.colleague)
    gone = organisation.member_state(organisation.colleague, version=2)
    gone.active, gone.department_id = False, str(organisation.south)
    _told(customers, MemberDeactivated(members=[gone]), directory_subscription("customer"))

    assert ASSIGNMENTS_PROJECTION.check(customers.runtime) == 1
    ASSIGNMENTS_PROJECTION.rebuild(customers.runtime)

    assert ASSIGNMENTS_PROJECTION.check(customers.runtime) == 0
    assert _listed_as_left(customers, organisation.rival_supervisor) == [customer["name"]]


def test_pools_follow_their_events_and_an_old_one_changes_nothing(customers: Any) -> None:
    organisation = customers.organisation
    customers.create(organisation.admin, "公海的", pool_id=str(customers.open_pool))
    state = customers.pool.pools[0]
    closed = type(state)(id=state.id, version=3, name="改名", kind=state.kind, open_to_all=False)

    apply_events(customers.database, POOLS, [_event(PoolChanged(pools=[closed]))])
    apply_events(customers.database, POOLS, [_event(PoolChanged(pools=[state]))])

    assert customers.listed(organisation.sales) == []
    closed.version = 4
    closed.open_to_all = True
    apply_events(customers.database, POOLS, [_event(PoolChanged(pools=[closed]))])
    assert customers.listed(organisation.sales) == ["公海的"]
    apply_events(customers.database, POOLS, [_event(PoolDeleted(pools=[type(state)(id=state.id, version=5)]))])
    assert customers.listed(organisation.sales) == []


def test_assignments_are_rebuilt_from_pool_and_their_drift_counted(customers: Any) -> None:
    organisation = customers.organisation
    made = [customers.create(organisation.sales, f"客户{number}") for number in range(5)]
    for customer in made[:3]:
        customers.pool.assignments[customer["id"]] = customers.assignment(
            customer["id"], 7, Place(owner_id=str(organisation.rival.id)), "2026-12-24"
        )

    assert ASSIGNMENTS_PROJECTION.check(customers.runtime) == 3
    assert ASSIGNMENTS_PROJECTION.rebuild(customers.runtime) == 5
    assert ASSIGNMENTS_PROJECTION.check(customers.runtime) == 0
    assert len(customers.listed(organisation.rival)) == 3


def test_places_of_customers_that_a_restore_lost_are_no_drift_once_pool_has_suspended_them(customers: Any) -> None:
    lost = str(new_id())
    place = customers.assignment(lost, 2, Place(owner_id=str(customers.organisation.sales.id)))
    customers.pool.assignments[lost] = place

    assert ASSIGNMENTS_PROJECTION.check(customers.runtime) == 1
    place.suspended = True
    assert ASSIGNMENTS_PROJECTION.check(customers.runtime) == 0


def test_pools_are_rebuilt_from_pool_and_their_drift_counted(customers: Any) -> None:
    gone = customers.pool.pools.pop()
    customers.pool.pools[0].name = "改名"
    customers.pool.pools[0].version = 2

    assert POOLS_PROJECTION.check(customers.runtime) == 2
    assert POOLS_PROJECTION.rebuild(customers.runtime) == 1
    assert POOLS_PROJECTION.check(customers.runtime) == 0
    assert (
        customers.request(
            "POST", "/customers", customers.organisation.admin, json={"name": "a", "pool_id": gone.id}
        ).status_code
        == 422
    )
