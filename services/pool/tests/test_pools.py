"""Pools: who may make, see and delete them, and what others are told."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from chassis.audit import audit_of
from chassis.identifiers import new_id
from crm.identity.v1.identity_events_pb2 import Department, DepartmentDeleted, MemberDeactivated
from crm.pool.v1 import pool_events_pb2 as pb
from crm.pool.v1.pool_service_pb2 import ListPoolsRequest
from crm_pool.leaving.events import LEAVERS
from crm_pool.pools.commands import SETTINGS_ID, ensure_default_pools
from crm_pool.pools.due import ENSURE_DEFAULT_POOLS
from crm_pool.pools.events import DEPARTMENTS
from crm_pool.pools.model import Pool
from crm_pool.service import SERVICE
from tests.support.services import Opener


def _pools(sea: Any, member: Any) -> dict[str, Any]:
    return {pool["name"]: pool for pool in sea.send("GET", "/pools", member).json["items"]}


def test_a_new_organisation_has_one_public_and_one_to_be_assigned_pool(services: Opener) -> None:
    with services.open(SERVICE) as opened:
        barrier = threading.Barrier(4)

        def ensure(_number: int) -> None:
            barrier.wait()
            with opened.database.transaction() as session:
                ensure_default_pools(session)

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(ensure, range(4)))
        ENSURE_DEFAULT_POOLS.run(opened.runtime)

        headers = opened.headers(opened.organisation.admin)
        names = [
            (pool["name"], pool["kind"]) for pool in opened.client.get("/api/v1/pools", headers=headers).json["items"]
        ]
        published = [pool.name for message in opened.outbox(pb.PoolChanged) for pool in message.pools]
    assert names == [("公海客户池", "public"), ("待分配客户池", "to_be_assigned")]
    assert sorted(published) == ["公海客户池", "待分配客户池"]


def test_sales_see_the_public_pool_but_never_one_to_be_assigned(sea: Any) -> None:
    waiting = sea.default("to_be_assigned")

    assert list(_pools(sea, sea.organisation.sales)) == ["公海客户池"]
    assert sea.send("GET", f"/pools/{waiting}", sea.organisation.sales).status_code == 404
    assert list(_pools(sea, sea.organisation.supervisor)) == ["公海客户池", "待分配客户池"]


def test_a_pool_opened_to_a_department_is_seen_there_alone(sea: Any) -> None:
    sea.create_pool(name="东区公海", open_to_all=False, department_ids=[str(sea.organisation.east)])

    assert "东区公海" in _pools(sea, sea.organisation.sales)
    assert "东区公海" not in _pools(sea, sea.organisation.rival)
    assert "东区公海" in _pools(sea, sea.organisation.operations)


def test_a_pool_is_published_and_audited_when_made_changed_and_deleted(sea: Any) -> None:
    admin = sea.organisation.admin
    made = sea.create_pool(name="潜在客户池", kind="prospect", daily_claim_quota=None)
    path = f"/pools/{made['id']}"

    changed = sea.send("PATCH", path, admin, {"name": "老客户池", "cool_down_days": 3}, If_Match='"1"')
    deleted = sea.send("DELETE", path, admin, If_Match='"2"')

    assert (changed.json["version"], changed.headers["ETag"], deleted.status_code) == (2, '"2"', 204)
    states = [pool for message in sea.opened.outbox(pb.PoolChanged) for pool in message.pools if pool.id == made["id"]]
    assert [(state.version, state.name, state.kind) for state in states] == [(1, "潜在客户池", 2), (2, "老客户池", 2)]
    assert sea.opened.outbox(pb.PoolDeleted)[0].pools[0].version == 3
    with sea.opened.database.reading() as session:
        entries = audit_of(session, "pool", next(pool.id for pool in sea.rows(Pool) if str(pool.id) == made["id"]))
    assert [entry.action for entry in entries] == ["pool.deleted", "pool.changed", "pool.created"]
    assert entries[1].before == {"name": "潜在客户池", "cool_down_days": 0}
    assert entries[1].after == {"name": "老客户池", "cool_down_days": 3}
    assert sea.send("GET", path, admin).status_code == 404


def test_a_change_that_changes_nothing_raises_no_version(sea: Any) -> None:
    made = sea.create_pool(name="华东")

    reply = sea.send("PATCH", f"/pools/{made['id']}", sea.organisation.admin, {"name": "华东"}, If_Match='"1"')

    assert reply.json["version"] == 1


def test_a_stale_change_names_both_values_of_each_clash(sea: Any) -> None:
    path, admin = f"/pools/{sea.create_pool(name='一')['id']}", sea.organisation.admin
    sea.send("PATCH", path, admin, {"name": "二"}, If_Match='"1"')

    reply = sea.send("PATCH", path, admin, {"name": "三", "cool_down_days": 0}, If_Match='"1"')

    assert (reply.status_code, reply.json["code"]) == (412, "stale_version")
    assert reply.json["conflicts"] == [{"pointer": "/name", "yours": "三", "current": "二"}]
    assert sea.send("PATCH", path, admin, {"name": "三"}).status_code == 428


def test_a_pool_with_customers_and_a_default_pool_stay(sea: Any) -> None:
    pool, admin = sea.create_pool(), sea.organisation.admin
    customers = sea.create(2, pool=pool["id"])

    refused = sea.send("DELETE", f"/pools/{pool['id']}", admin, If_Match='"1"')
    default = sea.send("DELETE", f"/pools/{sea.default()}", admin, If_Match='"1"')
    sea.act("move", admin, customers, pool_id=str(sea.default()))

    assert (refused.status_code, refused.json["code"]) == (409, "pool_not_empty")
    assert "2" in refused.json["detail"]
    assert (default.status_code, default.json["code"]) == (409, "default_pool")
    assert sea.send("DELETE", f"/pools/{pool['id']}", admin, If_Match='"1"').status_code == 204


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"open_to_all": False}, "/open_to_all", "pool_open_to_nobody"),
        ({"member_ids": [str(new_id())]}, "/member_ids/0", "not_in_directory"),
        ({"department_ids": ["x"]}, "/department_ids/0", "uuid_parsing"),
        ({"kind": "mine"}, "/kind", "enum"),
        ({"name": " "}, "/name", "string_too_short"),
        ({"daily_claim_quota": 0}, "/daily_claim_quota", "greater_than_equal"),
        ({"owner": "x"}, "/owner", "extra_forbidden"),
    ],
)
def test_a_wrong_pool_is_refused_field_by_field(sea: Any, body: Any, pointer: str, code: str) -> None:
    whole = {"name": "池", "kind": "public", "open_to_all": True, **body}

    reply = sea.send("POST", "/pools", sea.organisation.admin, whole)

    assert reply.status_code == 422
    assert [(error["pointer"], error["code"]) for error in reply.json["errors"]] == [(pointer, code)]


def test_two_pools_never_bear_one_name(sea: Any) -> None:
    body = {"name": "Team A", "kind": "public", "open_to_all": True}
    barrier = threading.Barrier(2)

    def create(name: str) -> int:
        barrier.wait()
        status: int = sea.send("POST", "/pools", sea.organisation.admin, {**body, "name": name}).status_code
        return status

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(create, ["Team A", "team a"])) == [201, 409]


def test_a_leaver_ends_in_no_pools_list_and_an_emptied_list_opens_to_nobody(sea: Any) -> None:
    sales = sea.organisation.sales
    pool = sea.create_pool(name="小组", open_to_all=False, member_ids=[str(sales.id)])
    leaver = sea.organisation.member_state(sales, version=2)

    sea.report(MemberDeactivated(members=[leaver]), subscription=LEAVERS)

    left = sea.send("GET", f"/pools/{pool['id']}", sea.organisation.admin).json
    assert (left["member_ids"], left["open_to_all"], left["version"]) == ([], False, 2)
    assert sea.opened.outbox(pb.PoolChanged)[-1].pools[0].version == 2
    assert "小组" not in _pools(sea, sea.organisation.colleague)


def _departments_gone(sea: Any, merged_into: dict[Any, Any]) -> None:
    gone = [Department(id=str(id_), version=9, merged_into=str(heir or "")) for id_, heir in merged_into.items()]
    sea.report(DepartmentDeleted(departments=gone), subscription=DEPARTMENTS)


def test_a_pool_follows_a_department_into_the_one_it_was_merged_into(sea: Any) -> None:
    east, south = sea.organisation.east, sea.organisation.south
    both = sea.create_pool(open_to_all=False, department_ids=[str(east), str(south)])
    waiting = sea.create_pool(kind="to_be_assigned", open_to_all=False, department_ids=[str(east)])
    other = sea.create_pool(open_to_all=False, department_ids=[str(south)])

    for _ in range(2):
        _departments_gone(sea, {east: south})

    path, admin = "/pools/{id}", sea.organisation.admin
    seen = [sea.send("GET", path.format(**pool), admin).json for pool in (both, waiting, other)]
    assert [(pool["department_ids"], pool["version"]) for pool in seen] == [
        ([str(south)], 2),
        ([str(south)], 2),
        ([str(south)], 1),
    ]
    assert {pool.id for pool in sea.opened.outbox(pb.PoolChanged)[-1].pools} == {both["id"], waiting["id"]}
    with sea.opened.database.reading() as session:
        (entry, _) = audit_of(session, "pool", UUID(both["id"]))
    assert (entry.action, entry.actor_id) == ("pool.departments_gone", None)
    assert (entry.before, entry.after) == (
        {"department_ids": [str(east), str(south)]},
        {"department_ids": [str(south)]},
    )


def test_a_department_that_is_just_deleted_loses_its_pools(sea: Any) -> None:
    pool = sea.create_pool(open_to_all=False, department_ids=[str(sea.organisation.south)])

    _departments_gone(sea, {sea.organisation.south: None})

    left = sea.send("GET", f"/pools/{pool['id']}", sea.organisation.admin).json
    assert (left["department_ids"], left["open_to_all"]) == ([], False)


def test_the_holding_cap_is_a_versioned_and_audited_setting(sea: Any) -> None:
    sea.set_holding_cap(5)

    admin = sea.organisation.admin
    settings = sea.send("GET", "/pools/settings", admin).json
    assert (settings["holding_cap"], settings["version"]) == (5, 2)
    assert sea.send("PATCH", "/pools/settings", admin, {"holding_cap": 9}, If_Match='"1"').status_code == 412
    with sea.opened.database.reading() as session:
        assert audit_of(session, "pool_settings", SETTINGS_ID)[0].after == {"holding_cap": 5}


def test_other_services_read_all_pools(sea: Any, rpc: Any) -> None:
    answered = rpc.ListPools(ListPoolsRequest()).pools

    assert [(pool.name, pool.open_to_all) for pool in answered] == [("公海客户池", True), ("待分配客户池", True)]
