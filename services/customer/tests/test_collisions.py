"""The collision desk: who may ask for another's customer, who decides, and what comes of it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from chassis.identifiers import new_id
from crm.common.v1.place_pb2 import Place
from crm.customer.v1 import customer_events_pb2 as events


def _open(customers: Any, by: Any, customer: Any, kind: str = "dispute", **more: Any) -> Any:
    body = {"kind": kind, "customer_id": customer["id"], "reason": "我先联系的", **more}
    return customers.request("POST", "/duplicates/collisions", by, json=body)


def _decide(customers: Any, by: Any, collision: Any, outcome: str, note: str = "") -> Any:
    path = f"/duplicates/collisions/{collision['id']}:decide"
    return customers.request("POST", path, by, json={"outcome": outcome, "note": note})


def _withdraw(customers: Any, by: Any, collision: Any) -> Any:
    return customers.request("POST", f"/duplicates/collisions/{collision['id']}:withdraw", by)


def _listed(customers: Any, by: Any, list_: str) -> list[str]:
    reply = customers.request("GET", "/duplicates/collisions", by, query_string={"list": list_})
    assert reply.json["total"] == len(reply.json["items"])
    return [one["id"] for one in reply.json["items"]]


def _told(customers: Any, message: Any) -> list[Any]:
    with customers.database.reading() as session:
        rows = session.execute(text("SELECT headers ->> 'ce-type' AS kind, payload FROM outbox ORDER BY id")).all()
    return [message.FromString(row.payload) for row in rows if row.kind == message.DESCRIPTOR.full_name]


def test_whoever_is_out_of_sight_of_a_customer_disputes_it_and_its_manager_sees_both_sides(customers: Any) -> None:
    people = customers.organisation
    theirs = customers.create(people.sales, "华夏春松")
    follow_up = {"customer_id": theirs["id"], "kind": "follow_up", "method": "phone", "content": "谈了价格"}
    assert customers.request("POST", "/activities", people.sales, json=follow_up).status_code == 201
    mine = customers.create(people.rival, "北京华夏春松科技有限公司")

    opened = _open(customers, people.rival, theirs, own_customer_id=mine["id"])

    assert opened.status_code == 201, opened.text
    assert (opened.json["sides"], opened.json["may_decide"]) == ([], False)
    [told] = _told(customers, events.CollisionOpened)
    assert (told.receiver_ids, told.kind) == ([str(people.supervisor.id)], events.CollisionKind.COLLISION_KIND_DISPUTE)
    assert _listed(customers, people.supervisor, "to_decide") == [opened.json["id"]]
    for other in (people.rival_supervisor, people.sales, people.colleague):
        assert _listed(customers, other, "to_decide") == []
        assert customers.request("GET", f"/duplicates/collisions/{opened.json['id']}", other).status_code == 404
    seen = customers.request("GET", f"/duplicates/collisions/{opened.json['id']}", people.supervisor).json
    assert [side["customer"]["name"] for side in seen["sides"]] == ["华夏春松", "北京华夏春松科技有限公司"]
    assert [entry["content"] for entry in seen["sides"][0]["timeline"]] == ["谈了价格"]
    assert (seen["sides"][0]["owner"]["name"], seen["may_decide"]) == ("张三", True)


def test_a_customer_that_is_given_is_told_to_pool_and_to_both(customers: Any) -> None:
    people = customers.organisation
    theirs = customers.create(people.sales)
    opened = _open(customers, people.rival, theirs).json

    decided = _decide(customers, people.supervisor, opened, "give", "南区先报备")

    assert decided.status_code == 200, decided.text
    assert (decided.json["status"], decided.json["outcome"]) == ("granted", "give")
    [told] = _told(customers, events.CollisionClosed)
    assert told.outcome == events.CollisionOutcome.COLLISION_OUTCOME_GIVE
    assert (told.customer_id, told.asked_by, told.actor_id) == (
        theirs["id"],
        str(people.rival.id),
        str(people.supervisor.id),
    )
    assert set(told.receiver_ids) == {str(people.rival.id), str(people.sales.id)}
    assert _decide(customers, people.supervisor, opened, "keep").json["code"] == "collision_closed"
    assert _listed(customers, people.supervisor, "decided") == [opened["id"]]
    assert _listed(customers, people.supervisor, "to_decide") == []


def test_its_owner_lets_a_member_collaborate(customers: Any) -> None:
    people = customers.organisation
    theirs = customers.create(people.sales)
    opened = _open(customers, people.rival, theirs, "collaborate").json
    [told] = _told(customers, events.CollisionOpened)
    assert told.receiver_ids == [str(people.sales.id)]
    assert _decide(customers, people.sales, opened, "give").json["errors"][0]["code"] == "outcome_unfit"

    decided = _decide(customers, people.sales, opened, "collaborate")

    assert decided.json["status"] == "granted"
    assert customers.request("GET", f"/customers/{theirs['id']}", people.rival).json["access"] == "write"
    assert _open(customers, people.rival, theirs, "collaborate").json["code"] == "already_collaborator"


def test_nobody_decides_what_they_have_a_side_in(customers: Any) -> None:
    people = customers.organisation
    theirs = customers.create(people.supervisor)
    opened = _open(customers, people.rival, theirs).json

    assert _decide(customers, people.rival, opened, "give").json["code"] == "not_yours_to_decide"
    assert _decide(customers, people.supervisor, opened, "keep").status_code == 404
    by_manager = _open(customers, people.operations, theirs).json
    assert _decide(customers, people.operations, by_manager, "give").json["code"] == "not_yours_to_decide"
    assert _decide(customers, people.admin, opened, "keep").json["status"] == "declined"


@pytest.mark.parametrize(
    ("whose", "code"), [("rival", "customer_is_yours"), ("pool", "claim_instead"), ("nobody", "not_found")]
)
def test_what_is_ones_own_in_a_pool_or_gone_is_not_collided_with(customers: Any, whose: str, code: str) -> None:
    people = customers.organisation
    if whose == "nobody":
        customer = {"id": str(new_id())}
    else:
        customer = customers.create(people.rival if whose == "rival" else people.sales)
    if whose == "pool":
        customers.move(customer, 2, Place(pool_id=str(customers.open_pool)))

    assert _open(customers, people.rival, customer).json["code"] == code


def test_one_collision_of_a_member_and_customer_waits_at_a_time(customers: Any) -> None:
    people = customers.organisation
    theirs = customers.create(people.sales)

    with ThreadPoolExecutor(4) as threads:
        replies = list(threads.map(lambda _: _open(customers, people.rival, theirs), range(4)))

    assert sorted(reply.status_code for reply in replies) == [201, 409, 409, 409]
    assert {reply.json["code"] for reply in replies if reply.status_code == 409} == {"collision_open"}
    opened = next(reply.json for reply in replies if reply.status_code == 201)
    assert _withdraw(customers, people.supervisor, opened).json["code"] == "not_your_collision"
    assert _withdraw(customers, people.rival, opened).json["status"] == "withdrawn"
    assert _open(customers, people.rival, theirs).status_code == 201


def test_twenty_collisions_of_a_member_wait_at_most(customers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_customer.collisions.commands.MOST_OPEN", 1)
    people = customers.organisation
    first, second = (customers.create(people.sales, name) for name in ("甲公司", "乙公司"))
    assert _open(customers, people.rival, first).status_code == 201

    refused = _open(customers, people.rival, second)

    assert (refused.status_code, refused.json["code"]) == (409, "too_many_collisions")


def test_ones_own_record_must_be_ones_own(customers: Any) -> None:
    people = customers.organisation
    theirs, other = customers.create(people.sales, "甲公司"), customers.create(people.sales, "乙公司")

    for own in (theirs, other, {"id": str(new_id())}):
        refused = _open(customers, people.rival, theirs, own_customer_id=own["id"])
        assert [(one["pointer"], one["code"]) for one in refused.json["errors"]] == [
            ("/own_customer_id", "own_customer_unknown")
        ]


def test_a_locked_customer_is_not_given_and_a_wecom_friend_to_collaborators_alone(customers: Any) -> None:
    people = customers.organisation
    locked = customers.create(people.sales, "锁定公司")
    friend = customers.create(people.sales, "好友公司")
    assert customers.patch(people.sales, friend, wecom_friend=True).status_code == 200
    assert customers.request("POST", f"/customers/{locked['id']}:lock", people.sales).status_code == 200
    about_locked, about_friend = (_open(customers, people.rival, one).json for one in (locked, friend))

    assert _decide(customers, people.supervisor, about_locked, "give").json["code"] == "customer_locked"
    assert _decide(customers, people.supervisor, about_friend, "give").json["code"] == "wecom_friend_stays"
    customers.share(people.sales, friend, people.rival)
    assert _decide(customers, people.supervisor, about_friend, "give").status_code == 200


def test_what_changed_meanwhile_is_decided_as_it_is_now(customers: Any) -> None:
    people = customers.organisation
    theirs, deleted = customers.create(people.sales, "甲公司"), customers.create(people.sales, "乙公司")
    moved, gone = (_open(customers, people.rival, one).json for one in (theirs, deleted))
    customers.move(theirs, 2, Place(owner_id=str(people.rival_supervisor.id)))
    headers = {"If_Match": '"1"'}
    assert customers.request("DELETE", f"/customers/{deleted['id']}", people.sales, headers=headers).status_code == 204

    assert _listed(customers, people.supervisor, "to_decide") == []
    assert _decide(customers, people.supervisor, moved, "give").status_code == 404
    assert _decide(customers, people.admin, moved, "merge").json["outcome"] == "merge"
    assert _decide(customers, people.admin, gone, "give").json["code"] == "customer_gone"
    assert _withdraw(customers, people.rival, gone).json["status"] == "withdrawn"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "steal"},
        {"reason": ""},
        {"reason": "x" * 501},
        {"reason": "a\0b"},
        {"customer_id": "不是编号"},
        {"own_customer_id": 7},
        {"more": 1},
    ],
)
def test_a_malformed_collision_is_refused_by_field(customers: Any, body: Any) -> None:
    good = {"kind": "dispute", "customer_id": str(new_id()), "reason": "先联系"} if body else {}

    refused = customers.request("POST", "/duplicates/collisions", customers.organisation.rival, json={**good, **body})

    assert refused.status_code in (400, 422), refused.text
    assert refused.json["errors"]
