"""Administrators of pools (decision 0025): they assign, move, confirm and import without pool.assign, there and only there."""

from typing import Any

import pytest

from chassis.identifiers import new_id
from crm.pool.v1.pool_service_pb2 import NewCustomer, PlanPlacementRequest


@pytest.fixture
def south_pool(sea: Any) -> Any:
    """A pool of the south that a salesperson of the east runs."""
    south, sales = str(sea.organisation.south), str(sea.organisation.sales.id)
    return sea.create_pool(open_to_all=False, department_ids=[south], admin_ids=[sales])


def test_an_administrator_assigns_out_of_the_pool_to_who_belongs_to_it(sea: Any, south_pool: Any) -> None:
    organisation = sea.organisation
    one, two = sea.create(2, pool=south_pool["id"])

    to_member = sea.act("assign", organisation.sales, [one], member_ids=[str(organisation.rival.id)])
    to_oneself = sea.act("assign", organisation.sales, [two], member_ids=[str(organisation.sales.id)])

    assert (to_member.status_code, to_oneself.status_code) == (200, 200)
    assert sea.owners() == {one: organisation.rival.id, two: organisation.sales.id}


def test_who_neither_belongs_to_the_pool_nor_is_within_reach_gets_nothing_of_it(sea: Any, south_pool: Any) -> None:
    colleague, rival, sales = sea.organisation.colleague, sea.organisation.rival, sea.organisation.sales
    one, two = sea.create(2, pool=south_pool["id"])

    alone = sea.act("assign", sales, [one], member_ids=[str(colleague.id)])
    together = sea.act("assign", sales, [one, two], member_ids=[str(colleague.id), str(rival.id)])

    assert (alone.status_code, alone.json["code"]) == (409, "owner_out_of_reach")
    assert [row["owner"]["id"] for row in together.json["results"]] == [str(rival.id)] * 2
    assert [one["code"] for one in together.json["passed_over"]] == ["owner_out_of_reach"]


def test_members_of_one_pool_get_nothing_of_another_that_the_same_member_runs(sea: Any, south_pool: Any) -> None:
    rival, sales = sea.organisation.rival, sea.organisation.sales
    other = sea.create_pool(open_to_all=False, department_ids=[str(sea.organisation.east)], admin_ids=[str(sales.id)])
    (theirs,), (not_theirs,) = sea.create(pool=south_pool["id"]), sea.create(pool=other["id"])

    reply = sea.act("assign", sales, [theirs, not_theirs], member_ids=[str(rival.id)])

    assert [row["code"] for row in reply.json["results"]] == [None, "owner_out_of_reach"]


def test_an_administrator_may_not_assign_or_move_what_lies_elsewhere(sea: Any, south_pool: Any) -> None:
    sales = sea.organisation.sales
    (elsewhere,), (own,) = sea.create(), sea.create(owner=sales)
    target = {"pool_id": south_pool["id"]}

    replies = [
        sea.act("assign", sales, [elsewhere], member_ids=[str(sales.id)]),
        sea.act("assign", sales, [own], member_ids=[str(sea.organisation.rival.id)]),
        sea.act("move", sales, [elsewhere], **target),
    ]

    assert [(reply.status_code, reply.json["code"]) for reply in replies] == [(403, "forbidden")] * 3
    assert sea.owners() == {elsewhere: None, own: sales.id}


def test_who_runs_no_pool_needs_the_right_and_is_told_which(sea: Any) -> None:
    (one,) = sea.create()
    sales = sea.organisation.sales

    for verb, body in (
        ("assign", {"member_ids": [str(sales.id)]}),
        ("move", {"pool_id": str(sea.create_pool()["id"])}),
        ("confirm", {}),
    ):
        reply = sea.act(verb, sales, [one], **body)
        assert (reply.status_code, reply.json["code"], reply.json["permission"]) == (403, "forbidden", "pool.assign")


def test_an_administrator_moves_customers_out_of_the_pool(sea: Any, south_pool: Any) -> None:
    (one,) = sea.create(pool=south_pool["id"])

    assert sea.act("move", sea.organisation.sales, [one], pool_id=str(sea.default())).status_code == 200


def test_an_administrator_of_prospects_confirms_them_into_the_default_pool_that_they_do_not_see(sea: Any) -> None:
    sales = sea.organisation.sales
    pool = sea.create_pool(
        kind="prospect", open_to_all=False, department_ids=[str(sea.organisation.east)], admin_ids=[str(sales.id)]
    )
    (one,) = sea.create(pool=pool["id"])

    assert sea.act("confirm", sales, [one]).status_code == 200
    assert str(sea.history(one)[-1].to_pool_id) == str(sea.default("to_be_assigned"))


def test_a_selection_of_an_administrator_who_runs_the_pool_no_more_assigns_nothing(
    sea: Any, customer: Any, south_pool: Any
) -> None:
    sales, rival = sea.organisation.sales, sea.organisation.rival
    ids = sea.create(2, pool=south_pool["id"])
    customer.visible[str(sales.id)] = ids
    started = sea.select("assign", sales, member_ids=[str(rival.id)])
    sea.change_pool(south_pool["id"], admin_ids=[])

    sea.finish()

    assert started.status_code == 202
    assert set(sea.owners().values()) == {None}
    assert sea.batch(started)["skipped"] == 2


def test_imports_into_a_pool_are_for_who_sees_it_its_administrators_included(sea: Any, rpc: Any) -> None:
    sales, colleague = sea.organisation.sales, sea.organisation.colleague
    pool = sea.create_pool(
        kind="to_be_assigned", open_to_all=False, department_ids=[str(sea.organisation.east)], admin_ids=[str(sales.id)]
    )

    def refusal(member: Any) -> str:
        state = sea.state(pool=pool["id"])
        planned = rpc.PlanPlacement(
            PlanPlacementRequest(
                placement_id=str(new_id()),
                actor_id=str(member.id),
                customers=[NewCustomer(customer_id=state.id, wish=state.wish, name=state.name)],
            )
        )
        code: str = planned.placements[0].refusal_code
        return code

    assert (refusal(sales), refusal(colleague)) == ("", "pool_not_found")
