"""再生客户: customers that are back in a pool after somebody owned them (C-40)."""

from typing import Any

from chassis.events.consumer import Event, apply_events
from chassis.identifiers import new_id
from chassis.rpc.client import on_behalf_of
from crm.common.v1.place_pb2 import Place
from crm.common.v1.selection_pb2 import CustomerFilter, Selection
from crm.customer.v1 import customer_service_pb2 as pb
from crm.pool.v1.pool_events_pb2 import AssignmentChange, AssignmentsChanged
from crm_customer.effects.events import ASSIGNMENTS, ASSIGNMENTS_PROJECTION


def _lies(customers: Any, customer: Any, version: int, place: Place, *, had_owner: bool) -> None:
    """Pool says where it lies, and whether it had an owner."""
    state = customers.assignment(customer["id"], version, place)
    state.had_owner = had_owner
    customers.pool.assignments[customer["id"]] = state
    change = AssignmentsChanged(changes=[AssignmentChange(state=state)])
    apply_events(customers.database, ASSIGNMENTS, [Event(new_id(), change, "2026-11-22T00:00:00+00:00", "")])


def test_a_customer_that_had_an_owner_is_listed_while_it_lies_in_a_pool(customers: Any) -> None:
    sales, pool = customers.organisation.sales, Place(pool_id=str(customers.open_pool))
    back, new = customers.create(sales, "再生的"), customers.create(sales, "新来的")
    _lies(customers, back, 2, pool, had_owner=True)
    _lies(customers, new, 2, pool, had_owner=False)

    for order in ("created_at", "-updated_at"):
        assert customers.listed(sales, view="recycled", sort=order) == ["再生的"]
    assert customers.listed(sales, view="recycled", pool_id=str(customers.open_pool)) == ["再生的"]
    assert customers.listed(sales, view="recycled", pool_id=str(customers.hidden_pool)) == []
    assert customers.listed(sales, view="recycled", owner_id=str(sales.id)) == []
    assert customers.listed(customers.organisation.admin, view="recycled", search="再生") == ["再生的"]

    _lies(customers, back, 3, Place(owner_id=str(sales.id)), had_owner=True)
    assert customers.listed(sales, view="recycled") == []


def test_the_list_shows_pools_that_the_reader_sees_alone(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)

    _lies(customers, customer, 2, Place(pool_id=str(customers.hidden_pool)), had_owner=True)

    assert customers.listed(organisation.sales, view="recycled") == []
    assert customers.listed(organisation.supervisor, view="recycled") == [customer["name"]]


def test_recycled_customers_can_be_selected(customers: Any, rpc: Any) -> None:
    sales = customers.organisation.sales
    back, owned = customers.create(sales, "再生的"), customers.create(sales)
    _lies(customers, back, 2, Place(pool_id=str(customers.open_pool)), had_owner=True)
    _lies(customers, owned, 2, Place(owner_id=str(sales.id)), had_owner=True)
    request = pb.ResolveSelectionRequest(selection=Selection(filter=CustomerFilter(view="recycled")))

    answer = rpc("pool").ResolveSelection(request, metadata=on_behalf_of(sales.id))

    assert list(answer.customer_ids) == [back["id"]]


def test_a_rebuild_marks_what_was_taken_over_before_recycled_customers_were_known(customers: Any) -> None:
    sales, pool = customers.organisation.sales, Place(pool_id=str(customers.open_pool))
    back, new = customers.create(sales, "再生的"), customers.create(sales, "新来的")
    for customer in (back, new):
        _lies(customers, customer, 2, pool, had_owner=False)
    customers.pool.assignments[back["id"]].had_owner = True
    assert ASSIGNMENTS_PROJECTION.check(customers.runtime) == 1

    ASSIGNMENTS_PROJECTION.rebuild(customers.runtime)

    assert customers.listed(sales, view="recycled") == ["再生的"]
    assert ASSIGNMENTS_PROJECTION.check(customers.runtime) == 0
