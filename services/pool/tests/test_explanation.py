"""`GET /assignments/{id}/explanation` says why a customer expires when it does, in words and as data."""

from datetime import date, timedelta
from itertools import product
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.clock import now
from chassis.days import day_of
from chassis.identifiers import new_id
from chassis.wording import Messages
from crm_pool.assignments.recording import Act, locked
from crm_pool.assignments.rescheduling import reschedule
from crm_pool.expiry.rules import Case, Condition, ConditionKind, Held, Rule
from crm_pool.explanations.rules import Explained, sentences
from directory.calendar import Calendar

ZONE = "Asia/Shanghai"


def _day(days: int) -> str:
    return (day_of(now(), ZONE) + timedelta(days=days)).isoformat()


def _touch(days_ahead: int) -> Timestamp:
    moment = Timestamp()
    moment.FromDatetime(now() + timedelta(days=days_ahead))
    return moment


def _explain(sea: Any, id_: str, member: Any = None, language: str = "") -> Any:
    headers = {"Accept_Language": language} if language else {}
    reply = sea.send("GET", f"/assignments/{id_}/explanation", member or sea.organisation.sales, **headers)
    assert reply.status_code == 200, reply.json
    return reply.json


def test_it_names_the_rule_the_touch_each_condition_and_the_days_left(sea: Any) -> None:
    pool = sea.create_pool(name="华东公海")
    conditions = ({"kind": "no_follow_up", "days": 30}, {"kind": "no_deal", "days": 90, "days_by_level": {"a": 60}})
    rule = sea.put_in_force(pool["id"], *conditions, target_pool_id=sea.default())
    (id_,) = sea.create(pool=pool["id"])
    sea.act("claim", sea.organisation.sales, [id_])
    sea.report_again([id_], last_touch_at=_touch(1), level="a")

    said = _explain(sea, id_)

    assert (said["because"], said["expires_on"], said["days_left"]) == ("expires", _day(31), 31)
    assert said["rule"] == {
        "id": str(rule),
        "number": 1,
        "pool": {"id": pool["id"], "name": "华东公海"},
        "target_pool": {"id": str(sea.default()), "name": said["rule"]["target_pool"]["name"]},
        "working_days": False,
    }
    assert [
        (one["kind"], one["since"], one["touched"], one["last_day"], one["first"]) for one in said["conditions"]
    ] == [
        ("no_follow_up", _day(1), True, _day(31), True),
        ("no_deal", _day(0), False, _day(60), False),
    ]
    assert said["message"] == (
        "适用“华东公海”的第 1 版回收规则：客户来自该池，且负责人属于该池。"
        f"最近一次有效跟进是 {_day(1)}，此后 30 天内没有新的跟进即到期，最后一天是 {_day(31)}。"
        f"到期日 {_day(31)}，还剩 31 天；当天结束后若仍无变化，将回收到“{said['rule']['target_pool']['name']}”。"
    )
    english = _explain(sea, id_, language="en")["message"]
    assert english.startswith("Version 1 of the rule of “华东公海” applies: the customer came from this pool")
    assert f"31 day(s) left until {_day(31)}" in english
    assert "{" not in said["message"] + english


def test_what_exempts_it_is_said_with_the_days_that_would_count(sea: Any) -> None:
    sea.put_in_force(sea.default())
    (id_,) = sea.create()
    sea.act("claim", sea.organisation.sales, [id_])
    sea.report_again([id_], wecom_friend=True)
    said = _explain(sea, id_)
    assert (said["because"], said["expires_on"], said["days_left"]) == ("exempt", None, None)
    assert [one["code"] for one in said["exemptions"]] == ["wecom_friend"]
    assert [one["last_day"] for one in said["conditions"]] == [_day(30)]
    assert "企微好友" in said["message"]


def test_why_there_is_no_day_is_said(sea: Any) -> None:
    people, (lying, owned, leaver, unlisted) = sea.organisation, sea.create(4)
    leaving = sea.hire("leaving")
    for member, id_ in ((people.sales, owned), (leaving, leaver), (people.rival, unlisted)):
        assert sea.act("claim", member, [id_]).status_code == 200
    assert _explain(sea, lying)["because"] == "in_pool"
    assert _explain(sea, owned)["because"] == "no_rule"
    sea.put_in_force(sea.default(), {"kind": "no_follow_up", "days": None, "days_by_level": {"a": 3}})
    sea.leave(leaving)
    assert _explain(sea, unlisted, people.rival)["because"] == "no_condition"
    assert _explain(sea, leaver, people.admin)["because"] == "owner_left"
    messages = [_explain(sea, id_, people.admin)["message"] for id_ in (lying, owned, leaver, unlisted)]
    assert all(messages)
    assert not [one for one in messages if "explained_" in one]


def test_a_change_of_rule_leaves_some_days_and_says_so(sea: Any) -> None:
    sea.put_in_force(sea.default())
    (id_,) = sea.create()
    sea.act("claim", sea.organisation.sales, [id_])
    sea.put_in_force(sea.default(), {"kind": "no_follow_up", "days": 1})
    assert "正在重新计算" in _explain(sea, id_)["message"]

    with sea.opened.database.transaction() as session:
        reschedule(session, locked(session, [id_]).values(), Act(None, now()), floor=True)

    said = _explain(sea, id_)
    assert (said["expires_on"], said["not_before"], said["conditions"][0]["last_day"]) == (_day(3), _day(3), _day(1))
    assert f"{_day(3)} 之前不会到期" in said["message"]


def test_it_says_whether_one_could_claim_the_customer_and_every_reason_why_not(sea: Any) -> None:
    sales, (free, mine) = sea.organisation.sales, sea.create(2)
    assert _explain(sea, free)["claim"] == {"allowed": True, "refusals": []}
    sea.change_pool(sea.default(), daily_claim_quota=1, cool_down_days=3)
    sea.act("claim", sales, [mine])
    sea.act("release", sales, [mine])

    claim = _explain(sea, mine)["claim"]

    assert not claim["allowed"]
    assert {one["code"] for one in claim["refusals"]} == {"cooling_down", "daily_quota_reached"}
    assert _day(3) in "".join(one["message"] for one in claim["refusals"])
    assert sea.act("claim", sales, [mine]).status_code == 409


def test_every_sentence_is_there_in_both_languages_for_every_kind_of_condition() -> None:
    messages = Messages(["crm_pool"])
    for kind, touched, working in product(ConditionKind, (True, False), (True, False)):
        rule = Rule(new_id(), new_id(), 1, (Condition(kind, 5),), working_days=working)
        since = now() - timedelta(days=30)
        happened = {"last_touch_at": since, "last_opportunity_at": since, "last_deal_at": since} if touched else {}
        held = Held(since - timedelta(days=1), extension_days=2, not_before=date.fromisoformat(_day(2)), **happened)
        for left in (1, 0, -1):
            case = Case(held, rule, ZONE, Calendar())
            explained = Explained(
                expires_on=date.fromisoformat(_day(left)),
                today=date.fromisoformat(_day(0)),
                deleted=False,
                pool_id=None,
                home_pool_id=None,
                owner_works=True,
                verdict=case.verdict(),
                terms=case.terms(),
                pools={},
            )
            for said, language in product(sentences(explained), ("zh", "en")):
                text = messages.text(said.code, language, said.parameters)
                assert not text.startswith("explained_"), said.code
                assert "{" not in text, said.code


def test_whoever_does_not_see_the_customer_gets_no_explanation(sea: Any) -> None:
    (id_,) = sea.create(owner=sea.organisation.sales)
    reply = sea.send("GET", f"/assignments/{id_}/explanation", sea.organisation.rival)
    assert reply.status_code == 404
