"""Rehearsing a rule: who would lose which customers, known before it acts; and telling owners beforehand."""

import random
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import text

from chassis import clock
from chassis.days import day_of
from crm.pool.v1 import pool_events_pb2 as pb
from crm_pool.assignments.model import AssignmentRow
from crm_pool.expiry.queries import verdicts
from crm_pool.rehearsals import commands
from crm_pool.rehearsals.model import Rehearsal, RehearsedCustomer, RehearsedOwner

NO_FOLLOW_UP = {"kind": "no_follow_up", "days": 30}


def _today() -> date:
    return day_of(clock.now(), "Asia/Shanghai")


def _stamp(at: datetime) -> Timestamp:
    moment = Timestamp()
    moment.FromDatetime(at)
    return moment


def _draft(sea: Any, *conditions: Any, **values: Any) -> Any:
    body = {"pool_id": str(sea.default()), "conditions": list(conditions or (NO_FOLLOW_UP,)), **values}
    reply = sea.send("POST", "/rules", sea.organisation.admin, body)
    assert reply.status_code == 201, reply.json
    return reply.json


def _rehearse(sea: Any, rule: Any, member: Any = None) -> Any:
    """Begin, work through, and read it as the administrator."""
    begun = sea.send("POST", f"/rules/{rule['id']}:rehearse", member or sea.organisation.admin)
    assert (begun.status_code, begun.json["state"]) == (202, "running"), begun.json
    _work(sea)
    return _read(sea, begun.json["id"])


def _work(sea: Any) -> None:
    while sea.run("rehearse"):
        pass


def _read(sea: Any, rehearsal_id: str, what: str = "", member: Any = None) -> Any:
    reply = sea.send("GET", f"/rules/rehearsals/{rehearsal_id}{what}", member or sea.organisation.admin)
    assert reply.status_code == 200, reply.json
    return reply.json


def _losses(tonight: int, week: int, month: int) -> dict[str, int]:
    return {"tonight": tonight, "in_7_days": week, "in_30_days": month}


def test_a_rehearsal_says_who_would_lose_how_many_and_when_and_changes_nothing(sea: Any) -> None:
    people = sea.organisation
    sea.held_for(28, count=2, level="A")
    sea.held_for(25, owner=people.colleague)
    sea.held_for(10, count=3, owner=people.rival, level="A")
    sea.held_for(40, owner=people.rival, won=True)
    sea.create()
    before = {one.customer_id: one.version for one in sea.rows(AssignmentRow)}

    found = _rehearse(sea, _draft(sea))

    assert (found["state"], found["examined"], found["rule_version"]) == ("finished", 7, 1)
    assert (found["total"], found["warned"]) == (_losses(0, 3, 6), 2)
    east, south = (
        {"id": str(id_), "name": name} for id_, name in ((people.east, "华东销售部"), (people.south, "华南销售部"))
    )
    assert sorted(found["departments"], key=lambda one: one["in_7_days"]) == [
        {**_losses(0, 0, 3), "department": south},
        {**_losses(0, 3, 3), "department": east},
    ]
    assert found["levels"] == [{**_losses(0, 2, 5), "level": "A"}, {**_losses(0, 1, 1), "level": ""}]
    days = {one["day"]: one["customers"] for one in found["days"]}
    assert (len(days), sum(days.values()), days[f"{_today() + timedelta(days=5)}"]) == (31, 6, 1)
    owners = {
        one["owner"]["name"]: (one["in_30_days"], one["earlier"]) for one in _read(sea, found["id"], "/owners")["items"]
    }
    assert owners == {"张三": (2, 2), "李四": (1, 1), "王五": (3, 3)}
    assert {one.customer_id: one.version for one in sea.rows(AssignmentRow)} == before
    assert sea.opened.outbox(pb.RecycleRuleAnnounced) == [], "a rehearsal tells nobody"


def test_a_rehearsal_counts_tonight_what_its_rule_takes_tonight(sea: Any) -> None:
    """The version that is in effect leaves nobody warning days any more."""
    ids = sea.held_for(30)
    rule_id = sea.put_in_force(sea.default())
    with sea.opened.database.transaction() as session:
        session.query(AssignmentRow).update({"expires_on": _today()})

    found = _rehearse(sea, {"id": rule_id})
    assert found["total"] == _losses(1, 1, 1)
    listed = _read(sea, found["id"], "/customers?within=0")["items"]
    assert [(one["customer_id"], one["warned"]) for one in listed] == [(ids[0], False)]


def test_the_customers_are_listed_by_owner_department_level_and_day(sea: Any) -> None:
    people = sea.organisation
    mine = sea.held_for(28, level="A")
    theirs = sea.held_for(100, owner=people.rival)
    found = _rehearse(sea, _draft(sea))

    def listed(**wanted: Any) -> list[str]:
        terms = "&".join(f"{name}={value}" for name, value in wanted.items())
        page = _read(sea, found["id"], f"/customers?{terms}")
        assert page["total"] == len(page["items"])
        return [one["customer_id"] for one in page["items"]]

    assert listed() == sorted(mine + theirs), "both on the first day that the warning leaves"
    assert listed(owner_id=people.rival.id) == theirs
    assert listed(department_id=people.east) == mine
    assert listed(level="A") == mine
    assert listed(level="") == theirs
    assert listed(within=2) == []
    assert listed(within=3, owner_id=people.rival.id) == theirs
    (overdue,) = _read(sea, found["id"], f"/customers?owner_id={people.rival.id}")["items"]
    assert (overdue["owner"]["name"], overdue["name"], overdue["warned"]) == ("王五", "星河贸易", True)


def test_names_are_shown_of_customers_that_the_caller_sees(sea: Any) -> None:
    """Who manages pools learns that a locked customer would expire, not which one it is."""
    sea.held_for(28)
    (locked,) = sea.held_for(28, owner=sea.organisation.colleague)
    found = _rehearse(sea, _draft(sea))
    sea.report_again([locked], owner=sea.organisation.colleague, locked=True)

    listed = _read(sea, found["id"], "/customers")["items"]
    assert {one["customer_id"] == locked: one["name"] for one in listed} == {True: None, False: "星河贸易"}


@pytest.mark.parametrize("seed", range(4))
def test_what_was_rehearsed_is_what_then_happens(sea: Any, tomorrow: Any, seed: int) -> None:
    """Whatever the facts, and whatever rules the pools have: rehearsal and recompute judge alike."""
    chance = random.Random(seed)
    people, now = sea.organisation, clock.now()
    other = sea.create_pool(open_to_all=False, department_ids=[str(people.south)], priority=chance.choice((0, 5)))
    sea.put_in_force(other["id"], {"kind": "no_follow_up", "days": chance.randint(1, 60)})
    sea.put_in_force(sea.default(), {"kind": "no_deal", "days": chance.randint(1, 90)})
    for _ in range(40):
        owner = chance.choice((people.sales, people.colleague, people.rival))
        facts: dict[str, Any] = {"level": chance.choice(("", "A", "B")), "won": chance.random() < 0.1}
        facts["open_opportunities"] = int(chance.random() < 0.1)
        if chance.random() < 0.5:
            facts["last_touch_at"] = _stamp(now - timedelta(days=chance.randint(0, 60)))
        sea.held_for(chance.randint(0, 90), owner=owner, **facts)
    sea.recompute()
    rule = _draft(
        sea,
        {"kind": "no_follow_up", "days": chance.choice((None, 20)), "days_by_level": {"A": chance.randint(1, 45)}},
        {"kind": "no_opportunity", "days": chance.randint(10, 70)},
        working_days=chance.random() < 0.5,
        exempt_won=chance.random() < 0.5,
    )
    effective_on = _today() + timedelta(days=2)
    _announce(sea, rule, effective_on)
    rehearsed = {one.customer_id: one.expires_on for one in sea.rows(RehearsedCustomer)}

    tomorrow(2)
    sea.recompute()
    last = effective_on + timedelta(days=30)
    happened = {
        one.customer_id: one.expires_on
        for one in sea.rows(AssignmentRow)
        if one.expires_on and one.expires_on <= last and one.customer_id in _governed(sea, rule)
    }
    assert rehearsed == happened
    assert rehearsed, "nothing was compared"


def test_night_by_night_the_recycler_takes_what_was_rehearsed(sea: Any, tomorrow: Any) -> None:
    """And nobody before the warning days are over, whatever the version says of customers long idle."""
    people, began = sea.organisation, clock.now()
    for owner in (people.sales, people.colleague, people.rival):
        for days in (0, 3, 5, 7, 9, 60):
            sea.held_for(days, owner=owner)
        sea.held_for(60, owner=owner, won=True)
        sea.held_for(60, owner=owner, last_touch_at=_stamp(began - timedelta(days=6)))
    with sea.opened.database.transaction() as session:
        session.execute(text("UPDATE pool_settings SET recycle_at = '00:00'"))
    _announce(sea, _draft(sea, {"kind": "no_follow_up", "days": 10}), _today() + timedelta(days=1))
    rehearsed = {str(one.customer_id): one.expires_on for one in sea.rows(RehearsedCustomer)}

    taken: dict[str, date] = {}
    for _ in range(14):
        tomorrow(1)
        sea.recompute()
        sea.recycle()
        gone = [id_ for id_, owner in sea.owners().items() if owner is None and id_ not in taken]
        taken |= dict.fromkeys(gone, _today() - timedelta(days=1))

    assert taken == rehearsed
    assert (len(taken), min(taken.values())) == (21, day_of(began, "Asia/Shanghai") + timedelta(days=4))


def _governed(sea: Any, rule: Any) -> set[Any]:
    with sea.opened.database.reading() as session:
        judged = verdicts(session, sea.rows(AssignmentRow))
    return {id_ for id_, one in judged.items() if one.rule and str(one.rule.id) == rule["id"]}


def _announce(sea: Any, rule: Any, day: date) -> None:
    reply = sea.send("POST", f"/rules/{rule['id']}:announce", sea.organisation.admin, {"effective_on": f"{day}"})
    assert reply.status_code == 200, reply.json
    _work(sea)


def test_owners_whose_customers_will_expire_earlier_are_told_once_when_a_rule_is_announced(sea: Any) -> None:
    people = sea.organisation
    sea.held_for(1, count=2)
    sea.held_for(1, owner=people.colleague, won=True)
    sea.put_in_force(sea.default(), {"kind": "no_follow_up", "days": 60})
    sea.recompute()
    tomorrow = _today() + timedelta(days=1)

    later = _draft(sea, {"kind": "no_follow_up", "days": 90})
    _announce(sea, later, tomorrow)
    assert sea.opened.outbox(pb.RecycleRuleAnnounced) == [], "nobody loses anything earlier"
    sea.send("POST", f"/rules/{later['id']}:withdraw", people.admin)

    earlier = _draft(sea)
    _announce(sea, earlier, tomorrow)
    _work(sea)
    (told,) = sea.opened.outbox(pb.RecycleRuleAnnounced)
    assert (told.rule_id, told.pool_name, told.effective_on) == (earlier["id"], "公海客户池", f"{tomorrow}")
    assert [(one.member_id, one.customers) for one in told.receivers] == [(str(people.sales.id), 2)]


def test_nobody_is_told_of_an_announcement_that_was_withdrawn_meanwhile(sea: Any) -> None:
    sea.held_for(1)
    rule, admin = _draft(sea), sea.organisation.admin
    body = {"effective_on": f"{_today() + timedelta(days=1)}"}
    sea.send("POST", f"/rules/{rule['id']}:announce", admin, body)
    sea.send("POST", f"/rules/{rule['id']}:withdraw", admin)

    _work(sea)
    assert sea.opened.outbox(pb.RecycleRuleAnnounced) == []
    assert [one.state for one in sea.rows(Rehearsal)] == ["stopped"]


def test_a_rehearsal_of_a_draft_that_is_changed_meanwhile_stops(sea: Any) -> None:
    sea.held_for(1)
    rule, admin = _draft(sea), sea.organisation.admin
    begun = sea.send("POST", f"/rules/{rule['id']}:rehearse", admin).json
    sea.send("PATCH", f"/rules/{rule['id']}", admin, {"working_days": True}, If_Match='"1"')

    _work(sea)
    assert _read(sea, begun["id"])["state"] == "stopped"
    again = _rehearse(sea, rule)
    assert again["rule_version"] == 2
    assert sea.send("GET", f"/rules/{rule['id']}", admin).json["rehearsal_id"] == again["id"]


def test_whoever_rehearses_what_somebody_rehearses_already_gets_that(sea: Any) -> None:
    rule = _draft(sea)
    ids = [
        sea.send("POST", f"/rules/{rule['id']}:rehearse", member).json["id"]
        for member in (sea.organisation.admin, sea.organisation.operations)
    ]

    assert ids[0] == ids[1]


@pytest.mark.parametrize("pages", range(1, 4))
def test_a_rehearsal_that_was_killed_after_a_page_goes_on_and_counts_nobody_twice(
    sea: Any, monkeypatch: pytest.MonkeyPatch, pages: int
) -> None:
    monkeypatch.setattr(commands, "PAGE", 2)
    sea.held_for(20, count=6)
    begun = sea.send("POST", f"/rules/{_draft(sea)['id']}:rehearse", sea.organisation.admin).json
    for _ in range(pages):
        sea.run("rehearse")

    def die(*_: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="killed"):
        patched.setattr(Rehearsal, "pass_by", die)
        sea.run("rehearse")
    assert _read(sea, begun["id"])["examined"] == 2 * pages

    _work(sea)
    assert _read(sea, begun["id"])["total"] == _losses(0, 0, 6)
    assert [one.earlier for one in sea.rows(RehearsedOwner)] == [6]


def test_a_page_takes_as_many_statements_for_many_customers_as_for_few(
    sea: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sea.held_for(20, count=40)
    sea.send("POST", f"/rules/{_draft(sea)['id']}:rehearse", sea.organisation.admin)
    counted = []
    for size in (2, 30):
        monkeypatch.setattr(commands, "PAGE", size)
        with sea.counting_statements() as statements:
            sea.run("rehearse")
        counted.append(len(statements))

    assert counted[0] == counted[1]


def test_a_rehearsal_is_forgotten_after_7_days(sea: Any, monkeypatch: pytest.MonkeyPatch, tomorrow: Any) -> None:
    sea.held_for(20, count=3)
    _rehearse(sea, _draft(sea))
    monkeypatch.setattr(commands, "_FORGOTTEN_AT_ONCE", 2)

    for days, left in ((6, 3), (2, 0)):
        tomorrow(days)
        while sea.run("forget-rehearsals"):
            pass
        kept = [len(sea.rows(record)) for record in (RehearsedCustomer, RehearsedOwner, Rehearsal)]
        assert kept == ([3, 1, 1] if left else [0, 0, 0])


def test_who_does_not_manage_pools_neither_rehearses_nor_reads_it(sea: Any) -> None:
    rule, supervisor = _draft(sea), sea.organisation.supervisor
    found = _rehearse(sea, rule)

    assert sea.send("POST", f"/rules/{rule['id']}:rehearse", supervisor).status_code == 403
    for what in ("", "/owners", "/customers"):
        assert sea.send("GET", f"/rules/rehearsals/{found['id']}{what}", supervisor).status_code == 403
