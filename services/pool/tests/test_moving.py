"""Assigning by capacity, confirming prospects, emptying whole pools."""

from collections import Counter
from typing import Any

import pytest

from chassis.identifiers import new_id
from crm.pool.v1 import pool_events_pb2 as events
from crm_pool.assignments.rules import Cause


def _cap(sea: Any, cap: int, member: Any) -> None:
    body = {"cap": cap, "member_id": str(member.id)}
    assert sea.send("POST", "/pools/caps", sea.organisation.admin, body).status_code == 201


def _owners(reply: Any) -> Counter[str]:
    return Counter(row["owner"]["name"] for row in reply.json["results"])


def test_by_capacity_whoever_has_most_room_gets_the_next_customer(sea: Any) -> None:
    sales, colleague, supervisor = sea.organisation.sales, sea.organisation.colleague, sea.organisation.supervisor
    sea.create(1, owner=sales)
    _cap(sea, 4, sales)
    _cap(sea, 7, colleague)

    both = [str(sales.id), str(colleague.id)]
    reply = sea.act("assign", supervisor, sea.create(6), member_ids=both, distribution="by_capacity")

    assert _owners(reply) == {"张三": 1, "李四": 5}


def test_by_capacity_without_caps_whoever_owns_fewest_gets_the_next_customer(sea: Any) -> None:
    sales, colleague, supervisor = sea.organisation.sales, sea.organisation.colleague, sea.organisation.supervisor
    sea.create(3, owner=sales)

    both = [str(sales.id), str(colleague.id)]
    reply = sea.act("assign", supervisor, sea.create(5), member_ids=both, distribution="by_capacity")

    assert _owners(reply) == {"张三": 1, "李四": 4}


def test_a_selection_assigned_by_capacity_goes_on_by_what_each_owns(sea: Any, customer: Any) -> None:
    sales, colleague, supervisor = sea.organisation.sales, sea.organisation.colleague, sea.organisation.supervisor
    sea.create(3, owner=sales)
    customer.visible[str(supervisor.id)] = sea.create(5)

    sea.select("assign", supervisor, member_ids=[str(sales.id), str(colleague.id)], distribution="by_capacity")
    sea.finish()

    assert Counter(sea.owners().values()) == {sales.id: 4, colleague.id: 4}


def test_a_sixth_follower_is_refused_in_the_seeds_words(sea: Any) -> None:
    ids = [str(new_id()) for _ in range(6)]

    reply = sea.act("assign", sea.organisation.supervisor, sea.create(1), member_ids=ids)

    assert (reply.status_code, reply.json["errors"][0]["message"]) == (422, "最多只能选择5个跟进人")


def test_prospects_that_are_valid_wait_to_be_assigned(sea: Any) -> None:
    prospects = sea.create_pool(kind="prospect")
    east = sea.create_pool(kind="to_be_assigned")
    one, two = sea.create(2, pool=prospects["id"])
    supervisor = sea.organisation.supervisor

    by_default = sea.act("confirm", supervisor, [one])
    by_choice = sea.act("confirm", supervisor, [two], pool_id=east["id"])

    assert (by_default.status_code, by_choice.status_code) == (200, 200)
    entries = [sea.history(id_)[-1] for id_ in (one, two)]
    assert [entry.cause for entry in entries] == [Cause.CONFIRM] * 2
    assert [str(entry.to_pool_id) for entry in entries] == [str(sea.default("to_be_assigned")), east["id"]]
    assert sea.opened.outbox(events.AssignmentsChanged)[-1].cause == events.CAUSE_CONFIRM


def test_only_prospects_are_confirmed_and_only_into_a_to_be_assigned_pool(sea: Any, customer: Any) -> None:
    supervisor = sea.organisation.supervisor
    (prospect,) = sea.create(pool=sea.create_pool(kind="prospect")["id"])
    (public,), (owned,) = sea.create(), sea.create(owner=sea.organisation.sales)
    customer.visible[str(supervisor.id)] = [prospect]
    elsewhere = {"pool_id": str(sea.default())}

    mixed = sea.act("confirm", supervisor, [public, owned, prospect])

    assert [row["code"] for row in mixed.json["results"]] == ["not_a_prospect", "not_in_pool", None]
    for reply in (
        sea.act("confirm", supervisor, [public], **elsewhere),
        sea.select("confirm", supervisor, **elsewhere),
    ):
        assert (reply.status_code, reply.json["code"]) == (409, "not_to_be_assigned")


@pytest.mark.parametrize("verb", ["claim", "assign", "move", "confirm", "release", "transfer"])
def test_nothing_selected_is_said_in_the_seeds_words(sea: Any, verb: str) -> None:
    reply = sea.act(verb, sea.organisation.admin, [], **_targets(sea, verb))

    assert (reply.status_code, reply.json["errors"][0]["message"]) == (422, "请先选择客户信息。")


def _targets(sea: Any, verb: str) -> dict[str, Any]:
    somebody = str(sea.organisation.sales.id)
    targets: dict[str, dict[str, Any]] = {
        "assign": {"member_ids": [somebody]},
        "move": {"pool_id": str(sea.default())},
        "transfer": {"member_id": somebody},
    }
    return targets.get(verb, {})


def _empty(sea: Any, member: Any, source: Any, target: Any, **headers: str) -> Any:
    return sea.send("POST", f"/pools/{source}:move-customers", member, {"pool_id": str(target)}, **headers)


def test_a_whole_pool_is_moved_as_a_batch_and_can_be_deleted_then(sea: Any) -> None:
    admin, pool = sea.organisation.admin, sea.create_pool()
    ids = sea.create(5, pool=pool["id"])
    others = sea.create(2)

    started = _empty(sea, admin, pool["id"], sea.default())
    repeated = sea.send("DELETE", f"/pools/{pool['id']}", admin, If_Match='"1"')
    sea.finish()

    assert (started.status_code, started.json["status"], started.json["total"]) == (202, "running", 5)
    assert repeated.json["code"] == "pool_not_empty"
    assert (sea.batch(started)["status"], sea.batch(started)["done"]) == ("finished", 5)
    assert {sea.history(one)[-1].cause for one in ids} == {Cause.MOVE}
    assert {len(sea.history(one)) for one in others} == {1}
    assert sea.send("DELETE", f"/pools/{pool['id']}", admin, If_Match='"1"').status_code == 204


def test_what_is_claimed_while_a_pool_is_emptied_stays_with_its_claimer(sea: Any) -> None:
    pool = sea.create_pool()
    ids = sea.create(3, pool=pool["id"])
    started = _empty(sea, sea.organisation.admin, pool["id"], sea.default())
    sea.act("claim", sea.organisation.sales, ids[:1])

    sea.finish()

    assert (sea.batch(started)["done"], sea.batch(started)["skipped"]) == (2, 1)
    assert sea.owners()[ids[0]] == sea.organisation.sales.id


def test_emptying_a_pool_is_for_who_may_assign_or_runs_it_and_sees_both(sea: Any) -> None:
    sales, supervisor = sea.organisation.sales, sea.organisation.supervisor
    mine = sea.create_pool(admin_ids=[str(sales.id)])["id"]
    unseen = sea.create_pool(open_to_all=False, department_ids=[str(sea.organisation.south)])["id"]
    public = sea.default()

    answers = [
        _empty(sea, sales, mine, public),
        _empty(sea, sales, public, mine),
        _empty(sea, sales, unseen, public),
        _empty(sea, supervisor, public, mine),
        _empty(sea, supervisor, unseen, public),
        _empty(sea, supervisor, public, unseen),
        _empty(sea, supervisor, public, public),
    ]

    assert [reply.status_code for reply in answers] == [202, 403, 404, 202, 404, 404, 409]
    assert answers[-1].json["code"] == "same_pool"


def test_emptying_repeated_with_its_key_starts_one_batch(sea: Any) -> None:
    pool = sea.create_pool()["id"]
    first, second = (
        _empty(sea, sea.organisation.admin, pool, sea.default(), Idempotency_Key="leeren") for _ in range(2)
    )

    assert first.headers["Location"] == second.headers["Location"]
