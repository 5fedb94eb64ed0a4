"""Settings, departments and roles (Q-05, Q-18, H-12)."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from crm.identity.v1 import identity_events_pb2 as pb
from crm_identity.organisation.model import Department

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


def test_two_reorganisations_at_once_never_make_a_cycle(identity: Any) -> None:
    people = identity.people

    for version in range(1, 5):
        first, second = (
            create(identity, f"甲{version}", people.company),
            create(identity, f"乙{version}", people.company),
        )
        with ThreadPoolExecutor(2) as pool:
            one = pool.submit(move, identity, first["id"], second["id"])
            other = pool.submit(move, identity, second["id"], first["id"])
            statuses = sorted((one.result().status_code, other.result().status_code))
        assert statuses == [200, 409]

    with identity.service.database.reading() as session:
        rows = session.execute(select(Department.id, Department.parent_id))
        parents = {row.id: row.parent_id for row in rows}
    for start in list(parents):
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


def test_every_member_may_read_the_departments(identity: Any) -> None:
    reply = identity.call("GET", "/departments", identity.people.sales)

    assert {item["name"] for item in reply.json["items"]} == {"公司", "华东销售部", "华南销售部"}


def test_a_role_grants_what_its_members_may_do_from_then_on(identity: Any) -> None:
    people = identity.people
    body = {"name": "人事", "permissions": ["organisation.manage", "audit.read", "audit.read"], "data_scope": "own"}
    role = identity.call("POST", "/roles", people.admin, body).json
    assert role["permissions"] == ["audit.read", "organisation.manage"]
    roles = {"role_ids": [role["id"]]}
    identity.call("PATCH", f"/members/{people.sales.id}", people.admin, roles, If_Match='"1"')
    token = identity.log_in("sales").json["access_token"]

    assert identity.with_token("GET", "/roles", token).status_code == 200
    less = {"permissions": ["audit.read"], "data_scope": "centre"}
    identity.call("PATCH", f"/roles/{role['id']}", people.admin, less, If_Match='"1"')

    assert identity.with_token("GET", "/roles", token).json["code"] == "forbidden"
    state = identity.service.outbox(pb.RoleChanged)[-1].roles[0]
    assert (state.version, list(state.permissions)) == (2, ["audit.read"])
    assert state.data_scope == pb.DATA_SCOPE_CENTRE


def test_a_role_in_use_and_a_built_in_role_stay(identity: Any) -> None:
    people = identity.people
    body = {"name": "实习", "permissions": [], "data_scope": "own"}
    role = identity.call("POST", "/roles", people.admin, body).json
    path = f"/roles/{role['id']}"
    identity.call("PATCH", f"/members/{people.sales.id}", people.admin, {"role_ids": [role["id"]]}, If_Match='"1"')

    built_in = identity.call("DELETE", f"/roles/{people.role_ids['sales']}", people.admin, If_Match='"1"')
    in_use = identity.call("DELETE", path, people.admin, If_Match='"1"')
    identity.call("PATCH", f"/members/{people.sales.id}", people.admin, {"role_ids": []}, If_Match='"2"')
    unused = identity.call("DELETE", path, people.admin, If_Match='"1"')

    assert (built_in.json["code"], in_use.json["code"], unused.status_code) == ("built_in_role", "role_in_use", 204)
    assert identity.service.outbox(pb.RoleDeleted)[0].roles[0].version == 2


@pytest.mark.parametrize("wrong", [{"permissions": ["everything"]}, {"data_scope": "galaxy"}, {"name": "销售"}])
def test_a_role_of_unknown_rights_or_a_taken_name_is_refused(identity: Any, wrong: Any) -> None:
    body = {"name": "新角色", "permissions": [], "data_scope": "own", **wrong}

    assert identity.call("POST", "/roles", identity.people.admin, body).status_code in (409, 422)


def test_the_permissions_to_grant_are_listed_in_the_callers_language(identity: Any) -> None:
    reply = identity.call("GET", "/roles/permissions", identity.people.admin, Accept_Language="en")

    assert {"code": "pool.claim", "name": "Claim customers"} in reply.json["items"]


@pytest.mark.parametrize("zone", ["localtime", "Factory", "", "UTC+8"])
def test_a_zone_that_is_no_place_is_refused(identity: Any, zone: str) -> None:
    reply = identity.call("PATCH", "/organisation", identity.people.admin, {"zone": zone}, If_Match='"1"')

    assert (reply.status_code, reply.json["errors"][0]["code"]) == (422, "unknown_zone")


def test_the_zone_of_the_organisation_is_changed_and_told(identity: Any) -> None:
    people = identity.people

    unknown = identity.call("PATCH", "/organisation", people.admin, {"zone": "../etc/passwd"}, If_Match='"1"')
    changed = identity.call("PATCH", "/organisation", people.admin, {"zone": "Asia/Singapore"}, If_Match='"1"')

    assert unknown.json["errors"][0]["code"] == "unknown_zone"
    assert changed.json == {"name": "测试公司", "zone": "Asia/Singapore", "version": 2}
    assert identity.call("GET", "/organisation", people.sales).json == changed.json
    [event] = identity.service.outbox(pb.OrganisationChanged)
    assert (event.organisation.zone, event.organisation.version) == ("Asia/Singapore", 2)
