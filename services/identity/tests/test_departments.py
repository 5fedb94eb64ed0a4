"""Departments: created, moved, merged, shown as a tree (Q-18, H-12)."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import insert, select

from chassis.database.tables import audit_entries
from chassis.identifiers import new_id
from crm.identity.v1 import identity_events_pb2 as pb
from crm_identity.organisation.model import Department, Member

NOBODY = "00000000-0000-7000-8000-000000000000"


def create(identity: Any, name: str, parent_id: Any) -> dict[str, Any]:
    body = {"name": name, "parent_id": str(parent_id)}
    reply = identity.call("POST", "/departments", identity.people.admin, body)
    assert reply.status_code == 201, reply.text
    return reply.json


def move(identity: Any, department_id: Any, parent_id: Any, version: int = 1) -> Any:
    body = {"parent_id": str(parent_id)}
    path = f"/departments/{department_id}"
    return identity.call("PATCH", path, identity.people.admin, body, If_Match=f'"{version}"')


def merge(identity: Any, department_id: Any, into_id: Any, **headers: str) -> Any:
    return identity.call(
        "POST", f"/departments/{department_id}:merge", identity.people.admin, {"into_id": str(into_id)}, **headers
    )


def test_a_department_is_created_renamed_moved_and_deleted_with_an_event_each(identity: Any) -> None:
    admin, people = identity.people.admin, identity.people
    made = create(identity, "苏州销售部", people.east)
    path = f"/departments/{made['id']}"

    identity.call("PATCH", path, admin, {"name": "苏南销售部", "head_id": str(people.sales.id)}, If_Match='"1"')
    assert move(identity, made["id"], people.south, version=2).json["parent_id"] == str(people.south)
    assert identity.call("DELETE", path, admin, If_Match='"3"').status_code == 204

    states = [event.departments[0] for event in identity.service.outbox(pb.DepartmentChanged)]
    assert [state.version for state in states] == [1, 2, 3]
    assert (states[2].name, states[2].parent_id, states[2].head_id) == (
        "苏南销售部",
        str(people.south),
        str(people.sales.id),
    )
    assert identity.service.outbox(pb.DepartmentDeleted)[0].departments[0].version == 4
    assert identity.call("GET", path, admin).status_code == 404


def test_a_department_is_never_moved_below_itself(identity: Any) -> None:
    people = identity.people
    below = create(identity, "上海组", people.east)

    replies = [
        move(identity, people.east, people.east),
        move(identity, people.east, below["id"]),
        move(identity, people.company, people.south),
    ]

    assert [(reply.status_code, reply.json["code"]) for reply in replies] == [(409, "department_cycle")] * 3


@pytest.mark.parametrize("acts", [("move", "move"), ("move", "merge"), ("merge", "merge")], ids="+".join)
def test_reorganisations_at_once_never_make_a_cycle(identity: Any, acts: tuple[str, str]) -> None:
    """甲 goes below or into 乙, and 乙 below or into a department of 甲: either is right, both would be a cycle."""
    people, do = identity.people, {"move": move, "merge": merge}

    for round_ in range(12):
        first = create(identity, f"甲{round_}", people.company)["id"]
        second = create(identity, f"乙{round_}", people.company)["id"]
        below = [create(identity, "组", parent)["id"] for parent in (first, second)]
        identity.call("PATCH", f"/departments/{below[1]}", people.admin, {"name": "别组"}, If_Match='"1"')
        ready = Barrier(2)

        def one_of(act: str, department_id: str, goal: str, ready: Barrier = ready) -> int:
            ready.wait()
            return int(do[act](identity, department_id, goal).status_code)

        with ThreadPoolExecutor(2) as pool:
            one = pool.submit(one_of, acts[0], first, below[1])
            other = pool.submit(one_of, acts[1], second, below[0])
            statuses = sorted((one.result(), other.result()))
        assert statuses == [200, 409]

    with identity.service.database.reading() as session:
        parents = {row.id: row.parent_id for row in session.execute(select(Department.id, Department.parent_id))}
    assert [id_ for id_, parent in parents.items() if parent is None] == [people.company]
    for start in parents:
        above = [start]
        while (parent := parents[above[-1]]) is not None:
            assert parent not in above
            above.append(parent)


def test_a_department_in_use_and_the_topmost_one_stay(identity: Any) -> None:
    people = identity.people
    create(identity, "上海组", create(identity, "空部门", people.company)["id"])
    with identity.service.database.reading() as session:
        with_child = session.scalars(select(Department.id).where(Department.name == "空部门")).one()

    codes = [
        identity.call("DELETE", f"/departments/{id_}", people.admin, If_Match='"1"').json["code"]
        for id_ in (people.east, with_child, people.company)
    ]

    assert codes == ["department_in_use", "department_in_use", "root_department"]


@pytest.mark.parametrize(
    ("wrong", "pointer", "code"),
    [
        ({"name": ""}, "/name", "string_too_short"),
        ({"name": "部" * 51}, "/name", "string_too_long"),
        ({"parent_id": NOBODY}, "/parent_id", "unknown_department"),
        ({"parent_id": None}, "/parent_id", "uuid_type"),
        ({"head_id": NOBODY}, "/head_id", "unknown_member"),
    ],
)
def test_a_wrong_department_says_what_to_correct(identity: Any, wrong: Any, pointer: str, code: str) -> None:
    body = {"name": "新部门", "parent_id": str(identity.people.east), **wrong}

    reply = identity.call("POST", "/departments", identity.people.admin, body)

    assert [(error["pointer"], error["code"]) for error in reply.json["errors"]] == [(pointer, code)]


def test_names_are_unique_below_one_department(identity: Any) -> None:
    people = identity.people
    create(identity, "一组", people.east)

    body = {"name": "一组", "parent_id": str(people.east)}
    assert identity.call("POST", "/departments", people.admin, body).json["code"] == "department_name_taken"
    in_the_south = create(identity, "一组", people.south)
    assert move(identity, in_the_south["id"], people.east).json["code"] == "department_name_taken"


def test_every_member_reads_the_tree_with_paths_heads_and_numbers_of_people(identity: Any) -> None:
    people = identity.people
    below = create(identity, "上海组", people.east)
    identity.call(
        "PATCH", f"/departments/{people.east}", people.admin, {"head_id": str(people.supervisor.id)}, If_Match='"1"'
    )
    identity.call("PATCH", f"/members/{people.sales.id}", people.admin, {"department_id": below["id"]}, If_Match='"1"')
    identity.call("POST", f"/members/{people.rival.id}:deactivate", people.admin)

    reply = identity.call("GET", "/departments", people.sales)

    found = {item["name"]: item for item in reply.json["items"]}
    assert {name: (item["member_count"], item["member_count_below"]) for name, item in found.items()} == {
        "公司": (2, 6),
        "华东销售部": (2, 3),
        "华南销售部": (1, 1),
        "上海组": (1, 1),
    }
    assert found["上海组"]["path"] == ["公司", "华东销售部", "上海组"]
    assert (found["华东销售部"]["head_name"], found["上海组"]["head_name"]) == ("东区主管", None)


def test_a_merge_moves_everybody_and_everything_below_and_says_where_to(identity: Any) -> None:
    people, east = identity.people, f"/departments/{identity.people.east}"
    below = create(identity, "上海组", people.east)
    identity.call("PATCH", east, people.admin, {"head_id": str(people.supervisor.id)}, If_Match='"1"')
    identity.call("POST", f"/members/{people.colleague.id}:deactivate", people.admin)

    reply = merge(identity, people.east, people.south)

    assert (reply.status_code, reply.json) == (
        200,
        {
            "into_id": str(people.south),
            "members_moved": 3,
            "departments_moved": 1,
            "former_head_id": str(people.supervisor.id),
        },
    )
    assert identity.call("GET", east, people.admin).status_code == 404
    with identity.service.database.reading() as session:
        assert session.get_one(Department, below["id"]).parent_id == people.south
        placed = set(session.scalars(select(Member.login).where(Member.department_id == people.south)))
        acts = session.scalars(select(audit_entries.c.action).order_by(audit_entries.c.id)).all()[-5:]
    assert placed == {"supervisor", "sales", "colleague", "rival", "rival_supervisor"}
    assert acts == ["member.changed"] * 3 + ["department.changed", "department.merged"]
    [moved] = identity.service.outbox(pb.MemberChanged)
    assert {member.department_id for member in moved.members} == {str(people.south)}
    assert sorted(member.version for member in moved.members) == [2, 2, 3]
    [gone] = identity.service.outbox(pb.DepartmentDeleted)[-1].departments
    assert (gone.id, gone.version, gone.merged_into) == (str(people.east), 3, str(people.south))
    assert identity.service.outbox(pb.DepartmentChanged)[-1].departments[0].id == below["id"]


def test_a_merge_into_the_department_above_takes_in_a_namesake_below(identity: Any) -> None:
    people = identity.people
    below = create(identity, "华东销售部", people.east)

    assert merge(identity, people.east, people.company).status_code == 200
    assert identity.call("GET", f"/departments/{below['id']}", people.admin).json["parent_id"] == str(people.company)


def test_a_repeated_merge_has_no_second_effect(identity: Any) -> None:
    people = identity.people

    first = merge(identity, people.east, people.south, Idempotency_Key="k1")
    second = merge(identity, people.east, people.south, Idempotency_Key="k1")

    assert (first.status_code, second.status_code, second.json) == (200, 200, first.json)
    assert len(identity.service.outbox(pb.DepartmentDeleted)) == 1


def test_a_merge_that_cannot_be_says_why_and_changes_nothing(identity: Any) -> None:
    people = identity.people
    below = create(identity, "上海组", people.east)["id"]
    for name in ("一组", "二组", "三组"):
        create(identity, name, people.east)
    for name in ("一组", "三组"):
        create(identity, name, people.south)

    replies = [
        merge(identity, people.company, people.south),
        merge(identity, people.east, people.east),
        merge(identity, people.east, below),
        merge(identity, people.east, people.south),
    ]

    assert [(reply.status_code, reply.json["code"]) for reply in replies] == [
        (409, "root_department"),
        (409, "merge_below_itself"),
        (409, "merge_below_itself"),
        (409, "department_names_clash"),
    ]
    messages = [error["message"] for error in replies[3].json["errors"]]
    assert len(messages) == 2
    assert any("一组" in message for message in messages)
    unknown = merge(identity, people.east, NOBODY)
    assert (unknown.status_code, unknown.json["errors"][0]["code"]) == (422, "unknown_department")
    assert merge(identity, NOBODY, people.east).status_code == 404
    assert identity.service.outbox(pb.DepartmentDeleted) == []


def test_a_merge_of_many_is_told_in_events_of_a_size_that_can_be_sent(identity: Any) -> None:
    people = identity.people
    many = [
        {
            "id": new_id(),
            "version": 1,
            "login": f"m{number:04}",
            "name": "长" * 50,
            "email": f"{'e' * 85}{number:04}@a.test",
            "department_id": people.east,
            "role_ids": [new_id() for _ in range(20)] if number < 500 else [],
            "language": "zh-CN",
            "service_account": False,
            "active": True,
            "epoch": 0,
            "session_generation": 0,
        }
        for number in range(2400)
    ]
    with identity.service.database.transaction() as session:
        session.execute(insert(Member), many)

    assert merge(identity, people.east, people.south).json["members_moved"] == 2403

    sizes = [len(event.members) for event in identity.service.outbox(pb.MemberChanged)]
    assert sum(sizes) == 2403
    assert max(sizes) <= 1000
