"""Whose customers one may give away, and to whom (decisions 0013 and 0016)."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from chassis import clock
from chassis.identifiers import new_id
from crm.customer.v1 import customer_events_pb2 as facts
from crm.identity.v1 import identity_events_pb2 as identity
from crm.pool.v1 import pool_service_pb2 as pb
from directory import store


def _group(sea: Any, *members: Any, version: int = 1, id_: Any = None) -> Any:
    """A user group of these members, whatever their departments."""
    state = identity.Group(id=str(id_ or new_id()), version=version, member_ids=[str(one.id) for one in members])
    with sea.opened.database.transaction() as session:
        store.store_groups(session, [state])
    return state.id


def _new(states: Iterable[facts.CustomerState]) -> list[pb.NewCustomer]:
    return [pb.NewCustomer(customer_id=one.id, wish=one.wish, name=one.name) for one in states]


def test_colleagues_of_a_user_group_see_each_others_customers_as_long_as_both_belong_to_it(sea: Any) -> None:
    sales, rival = sea.organisation.sales, sea.organisation.rival
    (one,) = sea.create(owner=rival)
    paths = [f"/assignments/{one}", f"/assignments/{one}/history"]
    before = [sea.send("GET", path, sales).status_code for path in paths]

    group = _group(sea, sales, rival)
    meanwhile = [sea.send("GET", path, sales).status_code for path in paths]
    _group(sea, rival, version=2, id_=group)

    assert (before, meanwhile) == ([404, 404], [200, 200])
    assert [sea.send("GET", path, sales).status_code for path in paths] == [404, 404]


@pytest.mark.parametrize("verb", ["assign", "transfer", "release"])
def test_a_colleagues_customer_is_not_given_away(sea: Any, customer: Any, verb: str) -> None:
    supervisor, rival = sea.organisation.supervisor, sea.organisation.rival
    _group(sea, supervisor, rival)
    (theirs,), (mine,) = sea.create(owner=rival), sea.create(owner=supervisor)
    member_id = str(sea.organisation.sales.id)
    body = {"assign": {"member_ids": [member_id]}, "transfer": {"member_id": member_id}}.get(verb, {})
    customer.visible[str(supervisor.id)] = [theirs]

    alone = sea.act(verb, supervisor, [theirs], **body)
    both = sea.act(verb, supervisor, [theirs, mine], **body)
    sea.select(verb, supervisor, **body)
    sea.finish()

    assert (alone.status_code, alone.json["code"]) == (403, "not_yours_to_give")
    assert alone.json["owner"]["name"] == "王五"
    assert [row["code"] for row in both.json["results"]] == ["not_yours_to_give", None]
    assert sea.owners()[theirs] == rival.id


def test_whoever_claims_a_colleagues_customer_is_told_that_it_is_owned(sea: Any) -> None:
    _group(sea, sea.organisation.sales, sea.organisation.rival)
    (theirs,) = sea.create(owner=sea.organisation.rival)

    reply = sea.act("claim", sea.organisation.sales, [theirs])

    assert (reply.status_code, reply.json["code"], reply.json["owner"]["name"]) == (409, "already_owned", "王五")


def test_customers_are_assigned_within_reach_alone(sea: Any) -> None:
    supervisor, operations = sea.organisation.supervisor, sea.organisation.operations
    near, far = str(sea.organisation.sales.id), str(sea.organisation.rival.id)
    ids = sea.create(2)

    nobody = sea.act("assign", supervisor, ids[:1], member_ids=[far], headers={"Accept_Language": "en"})
    one_of_two = sea.act("assign", supervisor, ids, member_ids=[far, near])
    by_the_centre = sea.act("assign", operations, ids[:1], member_ids=[far])

    assert (nobody.status_code, nobody.json["code"]) == (409, "owner_out_of_reach")
    assert "outside your data scope" in nobody.json["detail"]
    assert [row["owner"]["name"] for row in one_of_two.json["results"]] == ["张三", "张三"]
    assert [(one["member_id"], one["code"]) for one in one_of_two.json["passed_over"]] == [(far, "owner_out_of_reach")]
    assert by_the_centre.json["results"][0]["owner"]["name"] == "王五"


def test_a_selection_is_assigned_within_reach_alone_and_the_reach_is_looked_at_again_in_each_page(
    sea: Any, customer: Any
) -> None:
    supervisor, near = sea.organisation.supervisor, sea.organisation.sales
    customer.visible[str(supervisor.id)] = ids = sea.create(2)
    refused = sea.select("assign", supervisor, member_ids=[str(sea.organisation.rival.id)])
    reply = sea.select("assign", supervisor, member_ids=[str(near.id)])

    moved = sea.organisation.member_state(near, version=2)
    moved.department_id = str(sea.organisation.south)
    sea.know(moved)
    sea.finish()

    assert (refused.status_code, refused.json["code"]) == (409, "owner_out_of_reach")
    items = sea.send("GET", f"/assignments/batches/{reply.json['batch_id']}/items", supervisor).json["items"]
    assert [(item["item_id"], item["code"]) for item in items] == [(one, "owner_out_of_reach") for one in ids]


def test_a_birth_for_somebody_out_of_reach_goes_to_the_creators_to_be_assigned_pool(sea: Any, rpc: Any) -> None:
    creator, rival = sea.organisation.supervisor, sea.organisation.rival
    called, told = [sea.state(owner=rival, by=creator) for _ in range(2)]

    (placed,) = rpc.PlaceCustomers(
        pb.PlaceCustomersRequest(customers=_new([called]), actor_id=str(creator.id))
    ).placements
    sea.report(facts.CustomerCreated(customers=[told], actor_id=str(creator.id)))

    waiting = sea.default("to_be_assigned")
    assert (placed.refusal_code, placed.assignment.place.pool_id) == ("owner_out_of_reach", str(waiting))
    assert sea.history(told.id)[0].to_pool_id == waiting


def test_an_imports_rows_for_somebody_out_of_reach_are_refused_and_the_others_planned(sea: Any, rpc: Any) -> None:
    creator = sea.organisation.supervisor
    near, far = sea.state(owner=sea.organisation.sales), sea.state(owner=sea.organisation.rival)
    request = pb.PlanPlacementRequest(placement_id=str(new_id()), actor_id=str(creator.id), customers=_new([near, far]))

    planned = rpc.PlanPlacement(request).placements

    assert [one.refusal_code for one in planned] == ["", "owner_out_of_reach"]


def test_the_wish_of_a_creator_who_has_left_since_stands(sea: Any) -> None:
    creator, rival = sea.organisation.operations, sea.organisation.rival
    state = sea.state(owner=rival, by=creator)
    sea.dismiss(creator)

    sea.report(facts.CustomerCreated(customers=[state], actor_id=str(creator.id)))

    assert sea.owners()[state.id] == rival.id


def test_a_planned_absence_passes_nobody_over_before_it_begins(sea: Any) -> None:
    supervisor, sales = sea.organisation.supervisor, sea.organisation.sales
    state = sea.organisation.member_state(sales, version=2)
    state.absent_from.FromDatetime(clock.now() + timedelta(days=1))
    state.absent_until.FromDatetime(clock.now() + timedelta(days=3))
    sea.know(state)
    (one,), (two,) = sea.create(), sea.create()
    before = sea.act("assign", supervisor, [one], member_ids=[str(sales.id)])

    state.version = 3
    state.absent_from.FromDatetime(clock.now() - timedelta(hours=1))
    sea.know(state)
    meanwhile = sea.act("assign", supervisor, [two], member_ids=[str(sales.id)])

    assert before.status_code == 200
    assert (meanwhile.status_code, meanwhile.json["code"]) == (409, "assignee_absent")


def test_who_belongs_to_a_pool_follows_the_tree_of_departments_at_once(sea: Any) -> None:
    sales, organisation = sea.organisation.sales, sea.organisation
    pool = sea.create_pool(open_to_all=False, department_ids=[str(organisation.south)])
    (one,) = sea.create(pool=pool["id"], by=organisation.rival)
    outside = sea.act("claim", sales, [one])

    east = identity.Department(id=str(organisation.east), version=2, name="华东", parent_id=str(organisation.south))
    with sea.opened.database.transaction() as session:
        store.store_departments(session, [east])

    assert (outside.status_code, outside.json["code"]) == (404, "not_found")
    assert sea.act("claim", sales, [one]).status_code == 200
