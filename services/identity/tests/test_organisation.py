"""Settings and roles (Q-05, H-12)."""

from typing import Any

import pytest
from sqlalchemy import select

from chassis import clock
from crm.identity.v1 import identity_events_pb2 as pb
from crm_identity.foundations import ensure_foundations
from crm_identity.organisation.model import Organisation, Role


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


def test_the_list_of_roles_says_how_many_active_members_have_each(identity: Any) -> None:
    people = identity.people
    identity.call("POST", f"/members/{people.rival.id}:deactivate", people.admin)
    identity.call("POST", "/roles", people.admin, {"name": "实习", "permissions": [], "data_scope": "own"})

    reply = identity.call("GET", "/roles", people.admin)

    counts = {role["name"]: role["member_count"] for role in reply.json["items"]}
    assert counts == {"企业管理员": 1, "运营": 1, "销售主管": 2, "销售": 2, "实习": 0}


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


def granted(identity: Any, key: str) -> set[str]:
    with identity.service.database.reading() as session:
        return set(session.scalars(select(Role.permissions).where(Role.key == key)).one())


def ensure(identity: Any) -> None:
    with identity.service.database.transaction() as session:
        ensure_foundations(session, identity.sealing_key, clock.now())


def test_a_permission_that_a_release_brings_is_given_to_the_roles_that_have_it_by_default_once(identity: Any) -> None:
    people = identity.people
    # As a release left it that knew neither of these two, and an administrator who wants no claims of supervisors.
    with identity.service.database.transaction() as session:
        organisation = session.get_one(Organisation, 1)
        new = {"pool.release", "pool.to_be_assigned"}
        organisation.known_permissions = [code for code in organisation.known_permissions if code not in new]
        for role in session.scalars(select(Role)):
            role.permissions = [code for code in role.permissions if code not in {*new, "pool.claim"}]

    ensure(identity)

    assert granted(identity, "supervisor") & {*new, "pool.claim"} == new
    assert granted(identity, "sales") & {*new, "pool.claim"} == {"pool.release"}
    told = [event.roles[0] for event in identity.service.outbox(pb.RoleChanged)]
    assert {state.key: state.version for state in told} == dict.fromkeys(
        ("administrator", "operations", "supervisor", "sales"), 2
    )

    less = {"permissions": ["customer.read"]}
    identity.call("PATCH", f"/roles/{people.role_ids['sales']}", people.admin, less, If_Match='"2"')
    ensure(identity)

    assert granted(identity, "sales") == {"customer.read"}
    assert len(identity.service.outbox(pb.RoleChanged)) == len(told) + 1


def test_a_new_organisation_has_been_given_everything(bare: Any) -> None:
    for _ in range(2):
        with bare.database.transaction() as session:
            ensure_foundations(session, bytes(32), clock.now())

    assert [event.roles[0].version for event in bare.outbox(pb.RoleChanged)] == [1, 1, 1, 1]
