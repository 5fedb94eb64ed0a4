"""The pools' recycling rules: who may write, read, announce and end their versions, and when these act (C-18, C-19)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from chassis import clock
from chassis.audit import audit_of
from chassis.days import day_of
from crm_pool.assignments.model import AssignmentRow
from crm_pool.expiry.model import RecycleRule
from crm_pool.recycle_rules.model import ShadowDecision
from crm_pool.recycle_rules.queries import shadow_rules

FOLLOW_UP = {"kind": "no_follow_up", "days": 30}


def _draft(sea: Any, **values: Any) -> Any:
    body = {"pool_id": str(sea.default()), "conditions": [FOLLOW_UP], **values}
    reply = sea.send("POST", "/rules", sea.organisation.admin, body)
    assert reply.status_code == 201, reply.json
    return reply.json


def _tell(sea: Any, rule: Any, verb: str, **body: Any) -> Any:
    return sea.send("POST", f"/rules/{rule['id']}:{verb}", sea.organisation.admin, body or None)


def _today() -> date:
    return day_of(clock.now(), "Asia/Shanghai")


def _announce(sea: Any, rule: Any, days: int = 1) -> Any:
    return _tell(sea, rule, "announce", effective_on=f"{_today() + timedelta(days=days)}")


def _states(sea: Any) -> dict[int, str]:
    return {rule.number: rule.state for rule in sea.rows(RecycleRule)}


def test_a_version_is_drafted_announced_and_takes_the_place_of_the_one_before(sea: Any, tomorrow: Any) -> None:
    first = _draft(sea)
    assert (first["number"], first["state"], first["target_pool"]["name"]) == (1, "draft", "公海客户池")
    assert _announce(sea, first).json["state"] == "announced"
    second = _draft(sea, conditions=[{"kind": "no_deal", "days": None, "days_by_level": {"A": 90}}])

    sea.run("apply-rules")
    assert _states(sea) == {1: "announced", 2: "draft"}, "its day has not come"
    tomorrow(1)
    sea.recompute()
    assert _states(sea) == {1: "active", 2: "draft"}
    _announce(sea, second)
    tomorrow(1)
    sea.recompute()
    assert _states(sea) == {1: "ended", 2: "active"}

    with sea.opened.database.reading() as session:
        ids = {rule.number: rule.id for rule in sea.rows(RecycleRule)}
        said = [(entry.action, entry.actor_id) for entry in audit_of(session, "rule", ids[1])]
    admin = sea.organisation.admin.id
    assert said == [
        ("rule.ended", None),
        ("rule.took_effect", None),
        ("rule.announced", admin),
        ("rule.drafted", admin),
    ]


def test_of_two_administrators_who_announce_at_once_one_is_told_that_the_other_did(sea: Any) -> None:
    rules = [_draft(sea), _draft(sea)]

    with ThreadPoolExecutor(2) as threads:
        replies = list(threads.map(lambda rule: _announce(sea, rule), rules))

    assert sorted(reply.status_code for reply in replies) == [200, 409]
    refused = next(reply.json for reply in replies if reply.status_code == 409)
    assert refused["code"] == "rule_already_announced"
    assert sorted(_states(sea).values()) == ["announced", "draft"]


def test_drafts_written_at_once_are_numbered_one_by_one(sea: Any) -> None:
    with ThreadPoolExecutor(4) as threads:
        numbers = list(threads.map(lambda _: _draft(sea)["number"], range(4)))

    assert sorted(numbers) == [1, 2, 3, 4]


@pytest.mark.parametrize("days", [-1, 0, 367])
def test_owners_are_told_before_a_rule_takes_effect(sea: Any, days: int) -> None:
    reply = _announce(sea, _draft(sea), days)

    assert (reply.status_code, reply.json["errors"][0]["pointer"]) == (422, "/effective_on")
    assert f"{_today() + timedelta(days=1)}" in reply.json["errors"][0]["message"]


def test_an_announced_version_is_withdrawn_and_never_acts(sea: Any, tomorrow: Any) -> None:
    rule = _draft(sea)
    _announce(sea, rule)
    assert _tell(sea, rule, "withdraw").json["effective_on"] is None

    tomorrow(2)
    sea.recompute()
    assert _states(sea) == {1: "draft"}


@pytest.mark.parametrize(
    ("state", "verb", "code"),
    [
        ("draft", "withdraw", "rule_not_announced"),
        ("draft", "end", "rule_not_active"),
        ("announced", "shadow", "rule_not_draft"),
        ("announced", "announce", "rule_not_draft"),
        ("shadow", "shadow", "rule_not_draft"),
        ("ended", "announce", "rule_not_draft"),
        ("ended", "end", "rule_not_active"),
    ],
)
def test_a_version_goes_its_way_and_no_other(sea: Any, state: str, verb: str, code: str) -> None:
    rule = _draft(sea)
    if state == "announced":
        _announce(sea, rule)
    if state in ("shadow", "ended"):
        _tell(sea, rule, "shadow")
    if state == "ended":
        _tell(sea, rule, "end")

    reply = _announce(sea, rule) if verb == "announce" else _tell(sea, rule, verb)
    assert (reply.status_code, reply.json["code"]) == (409, code)
    assert _states(sea) == {1: state}


def test_a_draft_is_changed_and_deleted_by_whoever_read_it_last(sea: Any) -> None:
    rule, admin = _draft(sea), sea.organisation.admin
    path, change = f"/rules/{rule['id']}", {"conditions": [{"kind": "no_follow_up", "days": 7}], "working_days": True}

    assert sea.send("PATCH", path, admin, change).status_code == 428
    changed = sea.send("PATCH", path, admin, change, If_Match='"1"')
    assert (changed.status_code, changed.json["conditions"][0]["days"], changed.headers["ETag"]) == (200, 7, '"2"')
    stale = sea.send("PATCH", path, admin, {"working_days": False}, If_Match='"1"')
    assert (stale.status_code, stale.json["conflicts"]) == (
        412,
        [{"pointer": "/working_days", "yours": False, "current": True}],
    )
    assert sea.send("DELETE", path, admin, If_Match='"2"').status_code == 204
    assert sea.send("GET", path, admin).status_code == 404


def test_only_drafts_are_changed_and_deleted(sea: Any) -> None:
    rule, admin = _draft(sea), sea.organisation.admin
    _announce(sea, rule)

    for method, body in (("PATCH", {"working_days": True}), ("DELETE", None)):
        reply = sea.send(method, f"/rules/{rule['id']}", admin, body, If_Match='"2"')
        assert (reply.status_code, reply.json["code"]) == (409, "rule_not_draft")


@pytest.mark.parametrize(
    ("values", "pointer", "code"),
    [
        ({"conditions": []}, "/conditions", "too_short"),
        ({"conditions": [FOLLOW_UP, FOLLOW_UP]}, "/conditions", "condition_twice"),
        ({"conditions": [{"kind": "no_deal"}]}, "/conditions", "condition_without_days"),
        ({"conditions": [{"kind": "no_deal", "days": 0}]}, "/conditions/0/days", "greater_than_equal"),
        ({"conditions": [{"kind": "no_deal", "days": 3651}]}, "/conditions/0/days", "less_than_equal"),
        ({"conditions": [{"kind": "no_visit", "days": 3}]}, "/conditions/0/kind", "enum"),
        ({"pool_id": "00000000-0000-7000-8000-000000000000"}, "/pool_id", "pool_not_found"),
        ({"target_pool_id": "00000000-0000-7000-8000-000000000000"}, "/target_pool_id", "pool_not_found"),
    ],
)
def test_what_a_rule_cannot_say_is_refused_by_field(sea: Any, values: Any, pointer: str, code: str) -> None:
    body = {"pool_id": str(sea.default()), "conditions": [FOLLOW_UP], **values}

    reply = sea.send("POST", "/rules", sea.organisation.admin, body)
    assert reply.status_code == 422
    assert [(error["pointer"], error["code"]) for error in reply.json["errors"]] == [(pointer, code)]


def test_customers_are_not_recycled_into_a_pool_of_prospects(sea: Any) -> None:
    prospects = sea.create_pool(kind="prospect")["id"]
    body = {"pool_id": prospects, "conditions": [FOLLOW_UP]}

    refused = sea.send("POST", "/rules", sea.organisation.admin, body)
    assert refused.json["errors"][0]["code"] == "prospects_are_no_target"
    assert _draft(sea, pool_id=prospects, target_pool_id=str(sea.default()))["target_pool"]["name"] == "公海客户池"


def test_a_salesperson_reads_why_customers_expire_and_nothing_that_is_not_decided(sea: Any) -> None:
    sales, rival = sea.organisation.sales, sea.organisation.rival
    east = sea.create_pool(open_to_all=False, department_ids=[str(sea.organisation.east)])["id"]
    announced, draft = _draft(sea, pool_id=east), _draft(sea, pool_id=east)
    _announce(sea, announced)

    def numbers(member: Any, **query: str) -> list[int]:
        terms = "&".join(f"{name}={value}" for name, value in query.items())
        return [one["number"] for one in sea.send("GET", f"/rules?{terms}", member).json["items"]]

    assert numbers(sea.organisation.operations, pool_id=east) == [2, 1]
    assert numbers(sales) == [1]
    assert numbers(sales, state="draft") == []
    assert numbers(rival) == []
    assert sea.send("GET", f"/rules/{announced['id']}", sales).status_code == 200
    assert sea.send("GET", f"/rules/{draft['id']}", sales).status_code == 404
    assert sea.send("GET", f"/rules/{announced['id']}", rival).status_code == 404
    assert sea.send("POST", "/rules", sales, {"pool_id": east, "conditions": [FOLLOW_UP]}).status_code == 403


def test_a_repeated_request_drafts_one_version(sea: Any) -> None:
    body = {"pool_id": str(sea.default()), "conditions": [FOLLOW_UP]}

    ids = [
        sea.send("POST", "/rules", sea.organisation.admin, body, Idempotency_Key="once").json["id"] for _ in range(2)
    ]
    assert ids[0] == ids[1]
    assert len(sea.rows(RecycleRule)) == 1


def test_the_rule_of_a_pool_that_is_gone_does_not_take_effect(sea: Any, tomorrow: Any) -> None:
    pool = sea.create_pool()
    _announce(sea, _draft(sea, pool_id=pool["id"]))
    deleted = sea.send("DELETE", f"/pools/{pool['id']}", sea.organisation.admin, If_Match='"1"')
    assert deleted.status_code == 204

    tomorrow(1)
    sea.recompute()
    assert _states(sea) == {1: "ended"}


def test_what_a_version_in_the_shadow_would_take_is_counted_by_day_listed_and_forgotten(
    sea: Any, tomorrow: Any
) -> None:
    rule = _draft(sea)
    ids = sea.create(3, owner=sea.organisation.sales)
    assert _tell(sea, rule, "shadow").json["state"] == "shadow"
    with sea.opened.database.transaction() as session:
        assert [str(one.id) for one in shadow_rules(session)] == [rule["id"]]
        for days, id_ in enumerate(ids[:2] + ids[:1]):
            session.add(
                ShadowDecision(
                    rule_id=UUID(rule["id"]),
                    day=_today() - timedelta(days=days),
                    customer_id=UUID(id_),
                    owner_id=sea.organisation.sales.id,
                    expires_on=_today() - timedelta(days=9 + days),
                )
            )

    def read(what: str, member: Any = sea.organisation.admin) -> Any:
        return sea.send("GET", f"/rules/{rule['id']}/shadow{what}", member)

    assert read("").json["days"] == [{"day": f"{_today() - timedelta(days=days)}", "customers": 1} for days in range(3)]
    listed = read(f"/customers?day={_today()}").json
    assert [(one["customer_id"], one["name"], one["owner"]["name"]) for one in listed["items"]] == [
        (ids[0], "星河贸易", "张三")
    ]
    assert read("/customers").json["total"] == 3
    assert read("", sea.organisation.supervisor).status_code == 403

    for days, left in ((89, 2), (1, 1), (1, 0)):
        tomorrow(days)
        sea.run("forget-shadows")
        assert len(sea.rows(ShadowDecision)) == left


def test_a_version_in_the_shadow_gives_nobody_a_day(sea: Any) -> None:
    sea.create(owner=sea.organisation.sales)
    _tell(sea, _draft(sea), "shadow")
    _draft(sea)

    assert not sea.run("apply-rules")
    assert [one.expires_on for one in sea.rows(AssignmentRow)] == [None]
