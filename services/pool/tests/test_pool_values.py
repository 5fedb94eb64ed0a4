"""What a pool and the organisation's settings may say: roles, administrators, hidden fields, cascades, times."""

from typing import Any
from uuid import UUID

import pytest

from chassis import clock
from chassis.audit import audit_of
from chassis.identifiers import new_id
from crm.identity.v1.identity_events_pb2 import MemberDeactivated, Role, RoleDeleted
from crm.pool.v1 import pool_events_pb2 as pb
from crm_pool.expiry.model import RecycleRule
from crm_pool.leaving.events import LEAVERS
from crm_pool.pools.commands import SETTINGS_ID
from crm_pool.pools.events import ROLES
from crm_pool.pools.rules import HIDDEN_BY_DEFAULT, leads_back

CLOSED = {"open_to_all": False}


def _names(sea: Any, member: Any) -> set[str]:
    return {pool["name"] for pool in sea.send("GET", "/pools", member).json["items"]}


def _change(sea: Any, pool_id: Any, **values: Any) -> Any:
    version = sea.send("GET", f"/pools/{pool_id}", sea.organisation.admin).json["version"]
    return sea.send("PATCH", f"/pools/{pool_id}", sea.organisation.admin, values, If_Match=f'"{version}"')


def _errors(reply: Any) -> list[tuple[str, str]]:
    assert reply.status_code == 422, reply.json
    return [(error["pointer"], error["code"]) for error in reply.json["errors"]]


def test_a_pool_opened_to_a_role_is_claimed_from_by_those_who_have_it(sea: Any) -> None:
    role = UUID(sea.organisation.role_state("sales").id)
    pool = sea.create_pool(name="销售公海", **CLOSED, role_ids=[str(role)])
    mine, theirs = sea.create(2, pool=pool["id"])

    by_sales = sea.act("claim", sea.organisation.sales, [mine])
    by_supervisor = sea.act("claim", sea.organisation.supervisor, [theirs])

    assert (by_sales.status_code, by_supervisor.status_code) == (200, 404)
    assert "销售公海" not in _names(sea, sea.organisation.supervisor)


def test_a_deleted_role_is_dropped_and_an_emptied_list_opens_to_nobody(sea: Any) -> None:
    role = UUID(sea.organisation.role_state("sales").id)
    pool = sea.create_pool(**CLOSED, role_ids=[str(role)])

    for _ in range(2):
        sea.report(RoleDeleted(roles=[Role(id=str(role), version=9)]), subscription=ROLES)

    left = sea.send("GET", f"/pools/{pool['id']}", sea.organisation.admin).json
    assert (left["role_ids"], left["open_to_all"], left["version"]) == ([], False, 2)
    assert sea.opened.outbox(pb.PoolChanged)[-1].pools[0].role_ids == []
    with sea.opened.database.reading() as session:
        assert audit_of(session, "pool", UUID(pool["id"]))[0].action == "pool.roles_gone"


def test_an_administrator_sees_every_kind_of_pool_that_they_run_and_claims_nothing_from_it(sea: Any) -> None:
    sales = sea.organisation.sales
    east = [str(sea.organisation.south)]
    kinds = ("public", "prospect", "to_be_assigned")
    pools = [
        sea.create_pool(name=kind, kind=kind, **CLOSED, department_ids=east, admin_ids=[str(sales.id)])
        for kind in kinds
    ]
    (one,) = sea.create(pool=pools[0]["id"])

    assert set(kinds) <= _names(sea, sales)
    assert not set(kinds) & _names(sea, sea.organisation.colleague)
    refused = sea.act("claim", sales, [one])
    assert (refused.status_code, refused.json["code"]) == (409, "not_pool_member")


def test_a_leaver_runs_no_pool_any_more(sea: Any) -> None:
    sales = sea.organisation.sales
    pool = sea.create_pool(admin_ids=[str(sales.id), str(sea.organisation.colleague.id)])

    sea.report(MemberDeactivated(members=[sea.organisation.member_state(sales, version=2)]), subscription=LEAVERS)

    left = sea.send("GET", f"/pools/{pool['id']}", sea.organisation.admin).json
    assert (left["admin_ids"], left["version"]) == ([str(sea.organisation.colleague.id)], 2)


def test_hidden_fields_reveals_and_administrators_travel_to_other_services(sea: Any) -> None:
    made = sea.create_pool(hidden_fields=["contact.mobile", "address", "contact.mobile"], daily_reveals=30)
    plain = sea.create_pool()

    state = sea.opened.outbox(pb.PoolChanged)[-2].pools[0]
    assert made["hidden_fields"] == state.hidden_fields == ["contact.mobile", "address"]
    assert (made["daily_reveals"], state.daily_reveals, state.HasField("daily_reveals")) == (30, 30, True)
    assert plain["hidden_fields"] == [*HIDDEN_BY_DEFAULT]
    assert plain["daily_reveals"] == 0


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"role_ids": [str(new_id())]}, [("/role_ids/0", "not_in_directory")]),
        ({"admin_ids": [str(new_id())]}, [("/admin_ids/0", "not_in_directory")]),
        ({"hidden_fields": ["Contact Mobile"]}, [("/hidden_fields/0", "string_pattern_mismatch")]),
        ({"hidden_fields": ["a" * 61]}, [("/hidden_fields/0", "string_too_long")]),
        ({"hidden_fields": ["a"] * 51}, [("/hidden_fields", "too_long")]),
        ({"daily_reveals": -1}, [("/daily_reveals", "greater_than_equal")]),
        ({"freeze_days": 3651}, [("/freeze_days", "less_than_equal")]),
        ({"cascade_after_days": 3}, [("/cascade_pool_id", "cascade_incomplete")]),
        ({"cascade_pool_id": str(new_id())}, [("/cascade_after_days", "cascade_incomplete")]),
        ({"cascade_pool_id": str(new_id()), "cascade_after_days": 3}, [("/cascade_pool_id", "cascade_target")]),
    ],
)
def test_wrong_values_are_refused_field_by_field(sea: Any, body: Any, expected: Any) -> None:
    whole = {"name": "池", "kind": "public", "open_to_all": True, **body}

    assert _errors(sea.send("POST", "/pools", sea.organisation.admin, whole)) == expected


def test_unclaimed_customers_go_on_to_another_pool_but_never_in_a_circle_nor_back_to_prospects(sea: Any) -> None:
    first, second, third = (sea.create_pool() for _ in range(3))
    prospects = sea.create_pool(kind="prospect")
    for source, target in ((first, second), (second, third)):
        assert _change(sea, source["id"], cascade_pool_id=target["id"], cascade_after_days=30).status_code == 200

    circle = _change(sea, third["id"], cascade_pool_id=first["id"], cascade_after_days=30)
    itself = _change(sea, third["id"], cascade_pool_id=third["id"], cascade_after_days=30)
    back = _change(sea, third["id"], cascade_pool_id=prospects["id"], cascade_after_days=30)

    assert _errors(circle) == _errors(itself) == [("/cascade_pool_id", "cascade_loop")]
    assert _errors(back) == [("/cascade_pool_id", "cascade_target")]
    ended = _change(sea, first["id"], cascade_pool_id=None, cascade_after_days=None)
    assert (ended.json["cascade_pool_id"], ended.json["cascade_after_days"]) == (None, None)


def test_a_circle_that_the_pool_only_leads_into_is_found_too() -> None:
    start, one, two = (new_id() for _ in range(3))

    assert leads_back(start, {start: one, one: two, two: one})
    assert not leads_back(start, {start: one, one: two, two: None})


def test_a_pool_that_others_cascade_or_recycle_into_stays_and_the_answer_names_them(sea: Any) -> None:
    admin, target = sea.organisation.admin, sea.create_pool()
    sea.create_pool(name="甲池", cascade_pool_id=target["id"], cascade_after_days=5)
    ruled = sea.create_pool(name="乙池")
    with sea.opened.database.transaction() as session:
        session.add(_rule(sea, ruled["id"], target["id"]))

    refused = sea.send("DELETE", f"/pools/{target['id']}", admin, If_Match='"1"')

    assert (refused.status_code, refused.json["code"]) == (409, "pool_is_target")
    assert "乙池、甲池" in refused.json["detail"]
    assert sea.send("DELETE", f"/pools/{ruled['id']}", admin, If_Match='"1"').status_code == 204


def _rule(sea: Any, pool_id: str, target_pool_id: str) -> RecycleRule:
    at = clock.now()
    return RecycleRule(
        id=new_id(),
        version=1,
        pool_id=UUID(pool_id),
        number=1,
        state="draft",
        conditions=[],
        working_days=False,
        exempt_won=True,
        exempt_open_opportunity=True,
        target_pool_id=UUID(target_pool_id),
        created_by=sea.organisation.admin.id,
        created_at=at,
        updated_at=at,
    )


def test_settings_change_one_by_one_and_are_audited(sea: Any) -> None:
    admin = sea.organisation.admin
    before = sea.send("GET", "/pools/settings", admin).json

    changed = sea.send(
        "PATCH", "/pools/settings", admin, {"recycle_at": "02:15", "reminder_days": [0, 5, 5]}, If_Match='"1"'
    )

    assert before == {
        "holding_cap": None,
        "cap_counts_won": True,
        "reason_required": False,
        "recycle_at": "00:30",
        "warning_days": 3,
        "reminder_days": [7, 3, 0],
        "manager_from_days": 3,
        "most_extensions": 1,
        "most_extension_days": 30,
        "version": 1,
    }
    assert changed.json == before | {"recycle_at": "02:15", "reminder_days": [5, 0], "version": 2}
    with sea.opened.database.reading() as session:
        (entry,) = audit_of(session, "pool_settings", SETTINGS_ID)
    assert (entry.before, entry.after) == (
        {"recycle_at": "00:30:00", "reminder_days": [7, 3, 0]},
        {"recycle_at": "02:15:00", "reminder_days": [5, 0]},
    )
    assert sea.send("PATCH", "/pools/settings", admin, {"warning_days": 9}).status_code == 428


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"recycle_at": "25:00"}, [("/recycle_at", "time_parsing")]),
        ({"recycle_at": "02:15Z"}, [("/recycle_at", "time_parsing")]),
        ({"recycle_at": 900}, [("/recycle_at", "time_parsing")]),
        ({"reminder_days": [366]}, [("/reminder_days/0", "less_than_equal")]),
        ({"warning_days": None}, [("/warning_days", "int_type")]),
        ({"holding_cap": 0}, [("/holding_cap", "greater_than_equal")]),
    ],
)
def test_a_wrong_setting_is_refused(sea: Any, body: Any, expected: Any) -> None:
    reply = sea.send("PATCH", "/pools/settings", sea.organisation.admin, body, If_Match='"1"')

    assert _errors(reply) == expected
    assert reply.json["errors"][0]["message"]
