"""User groups: who looks after customers together (H-11, decision 0013)."""

from typing import Any

import pytest
from sqlalchemy import insert, select

from chassis.database.tables import audit_entries
from chassis.identifiers import new_id
from crm.identity.v1 import identity_events_pb2 as pb
from crm_identity.organisation.model import Member

NOBODY = "00000000-0000-7000-8000-000000000000"


def create(identity: Any, name: str, *members: Any) -> Any:
    body = {"name": name, "member_ids": [str(member.id) for member in members]}
    return identity.call("POST", "/groups", identity.people.admin, body)


def act(identity: Any, group: Any, verb: str, *member_ids: Any) -> Any:
    body = {"member_ids": [str(id_) for id_ in member_ids]}
    return identity.call("POST", f"/groups/{group['id']}:{verb}", identity.people.admin, body)


def add_people(identity: Any, count: int) -> list[Any]:
    many = [
        {
            "id": new_id(),
            "version": 1,
            "login": f"m{number:04}",
            "name": f"成员{number}",
            "email": "m@example.test",
            "department_id": identity.people.east,
            "role_ids": [],
            "language": "zh-CN",
            "service_account": False,
            "active": True,
            "epoch": 0,
            "session_generation": 0,
        }
        for number in range(count)
    ]
    with identity.service.database.transaction() as session:
        session.execute(insert(Member), many)
    return [row["id"] for row in many]


def test_a_group_is_made_renamed_joined_left_and_ended_with_an_event_each(identity: Any) -> None:
    people = identity.people
    made = create(identity, "连锁零售组", people.sales)
    path = f"/groups/{made.json['id']}"
    assert (made.status_code, made.headers["ETag"]) == (201, '"1"')

    joined = act(identity, made.json, "add-members", people.rival.id, people.sales.id)
    renamed = identity.call("PATCH", path, people.admin, {"name": "零售组"}, If_Match=joined.headers["ETag"])
    left = act(identity, made.json, "remove-members", people.sales.id, NOBODY)
    assert (renamed.status_code, left.json["member_ids"]) == (200, [str(people.rival.id)])
    assert identity.call("GET", path, people.colleague).json == left.json
    assert identity.call("DELETE", path, people.admin, If_Match='"4"').status_code == 204

    states = [event.groups[0] for event in identity.service.outbox(pb.GroupChanged)]
    assert [(state.version, state.name, list(state.member_ids)) for state in states] == [
        (1, "连锁零售组", [str(people.sales.id)]),
        (2, "连锁零售组", [str(people.sales.id), str(people.rival.id)]),
        (3, "零售组", [str(people.sales.id), str(people.rival.id)]),
        (4, "零售组", [str(people.rival.id)]),
    ]
    assert identity.service.outbox(pb.GroupDeleted)[0].groups[0].version == 5
    with identity.service.database.reading() as session:
        acts = session.scalars(select(audit_entries.c.action).order_by(audit_entries.c.id)).all()
    assert acts == ["group.created", *["group.changed"] * 3, "group.deleted"]


def test_groups_are_listed_with_names_and_found_by_member(identity: Any) -> None:
    people = identity.people
    create(identity, "甲组", people.sales, people.rival)
    create(identity, "乙组", people.colleague)

    every = identity.call("GET", "/groups", people.sales)
    mine = identity.call("GET", f"/groups?member_id={people.sales.id}", people.sales)
    named = identity.call("GET", "/groups?search=乙", people.sales)

    assert every.json["total"] == 2
    assert [(item["name"], {one["name"] for one in item["members"]}) for item in mine.json["items"]] == [
        ("甲组", {"张三", "王五"})
    ]
    assert [item["name"] for item in named.json["items"]] == ["乙组"]
    listed = identity.call("GET", f"/members?group_id={mine.json['items'][0]['id']}&sort=-login", people.sales)
    assert [item["login"] for item in listed.json["items"]] == ["sales", "rival"]


def test_whoever_leaves_is_in_no_group_any_more_and_the_others_are_told(identity: Any) -> None:
    people = identity.people
    for name in ("甲组", "乙组"):
        create(identity, name, people.sales, people.rival)

    identity.call("POST", f"/members/{people.rival.id}:deactivate", people.admin)

    groups = identity.call("GET", "/groups", people.admin).json["items"]
    assert [[one["id"] for one in group["members"]] for group in groups] == [[str(people.sales.id)]] * 2
    told = [event.groups[0] for event in identity.service.outbox(pb.GroupChanged)][-2:]
    assert [(state.version, list(state.member_ids)) for state in told] == [(2, [str(people.sales.id)])] * 2


def test_only_active_people_join(identity: Any) -> None:
    people = identity.people
    identity.call("POST", f"/members/{people.rival.id}:deactivate", people.admin)
    account = {"login": "erp", "name": "ERP", "service_account": True, "department_id": str(people.east)}
    account_id = identity.call("POST", "/members", people.admin, account).json["id"]
    group = create(identity, "甲组", people.sales).json

    reply = act(identity, group, "add-members", people.colleague.id, people.rival.id, account_id, NOBODY)

    assert reply.status_code == 422
    assert [(error["pointer"], error["code"]) for error in reply.json["errors"]] == [
        (f"/member_ids/{place}", "unknown_member") for place in (1, 2, 3)
    ]
    assert identity.call("GET", f"/groups/{group['id']}", people.sales).json == group


def test_nobody_is_in_more_than_five_groups(identity: Any) -> None:
    people = identity.people
    for number in range(5):
        assert create(identity, f"第{number}组", people.sales).status_code == 201

    reply = create(identity, "第六组", people.colleague, people.sales)

    assert [(error["pointer"], error["code"]) for error in reply.json["errors"]] == [
        ("/member_ids/1", "too_many_groups")
    ]
    assert "5" in reply.json["errors"][0]["message"]


def test_a_group_has_at_most_a_hundred_members(identity: Any) -> None:
    ids = add_people(identity, 101)
    group = create(identity, "大组").json

    assert act(identity, group, "add-members", *ids[:60]).status_code == 200
    full = act(identity, group, "add-members", *ids[41:101])
    whole = identity.call(
        "PATCH", f"/groups/{group['id']}", identity.people.admin, {"member_ids": [str(i) for i in ids]}, If_Match='"2"'
    )

    assert (full.status_code, full.json["code"]) == (409, "group_full")
    assert (whole.status_code, whole.json["errors"][0]["code"]) == (422, "too_long")
    assert act(identity, group, "add-members", *ids[1:100]).json["member_ids"] == [str(id_) for id_ in ids[:100]]


def test_a_repeated_addition_has_no_second_effect(identity: Any) -> None:
    people = identity.people
    group = create(identity, "甲组").json
    path, body = f"/groups/{group['id']}:add-members", {"member_ids": [str(people.sales.id)] * 2}

    first, second = (identity.call("POST", path, people.admin, body, Idempotency_Key="k1") for _ in range(2))
    again = identity.call("POST", path, people.admin, body)

    assert (first.json["version"], second.json["version"], again.json["version"]) == (2, 2, 2)
    assert first.json["member_ids"] == [str(people.sales.id)]
    assert len(identity.service.outbox(pb.GroupChanged)) == 2


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("POST", "/groups", {"name": "甲组"}, "group_name_taken"),
        ("POST", "/groups", {"name": ""}, "validation_failed"),
        ("POST", "/groups", {"name": "丙组", "member_ids": ["x"]}, "validation_failed"),
        ("POST", "/groups/{id}:add-members", {"member_ids": []}, "validation_failed"),
        ("POST", "/groups/{id}:add-members", {}, "validation_failed"),
        ("PATCH", "/groups/{id}", {"name": "乙组"}, "group_name_taken"),
        ("PATCH", "/groups/{id}", {"member_ids": None}, "validation_failed"),
        ("GET", f"/groups/{NOBODY}", None, "not_found"),
        ("POST", f"/groups/{NOBODY}:remove-members", {"member_ids": [NOBODY]}, "not_found"),
    ],
)
def test_a_wrong_request_says_what_to_correct(identity: Any, method: str, path: str, body: Any, code: str) -> None:
    group = create(identity, "甲组").json
    create(identity, "乙组")

    reply = identity.call(method, path.format(id=group["id"]), identity.people.admin, body, If_Match='"1"')

    assert (reply.status_code < 500, reply.json["code"]) == (True, code)


def test_a_change_of_a_group_needs_its_version(identity: Any) -> None:
    admin, group = identity.people.admin, create(identity, "甲组").json
    path = f"/groups/{group['id']}"
    identity.call("PATCH", path, admin, {"name": "甲一组"}, If_Match='"1"')

    missing = identity.call("PATCH", path, admin, {"name": "甲二组"})
    stale = identity.call("PATCH", path, admin, {"name": "甲二组"}, If_Match='"1"')
    gone = identity.call("DELETE", path, admin, If_Match='"1"')

    assert (missing.status_code, stale.status_code, gone.status_code) == (428, 412, 412)
    assert stale.json["conflicts"] == [{"pointer": "/name", "yours": "甲二组", "current": "甲一组"}]
