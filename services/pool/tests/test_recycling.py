"""Runs: what expired goes back to its pool once a day, confirmed, bounded, and undone as a release (decision 0024)."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from prometheus_client import REGISTRY
from sqlalchemy import text

from chassis import clock
from chassis.audit import audit_of
from chassis.clock import day_of
from chassis.errors import Unavailable
from crm.customer.v1 import customer_events_pb2 as facts
from crm.pool.v1 import pool_events_pb2 as events
from crm_pool.assignments.model import Assignment, Release
from crm_pool.recycling.commands import next_page
from crm_pool.recycling.model import Run

ZONE = "Asia/Shanghai"


def _day(days: int = 0) -> Any:
    return day_of(clock.now(), ZONE) + timedelta(days=days)


def _now() -> Timestamp:
    moment = Timestamp()
    moment.FromDatetime(clock.now())
    return moment


def _days(sea: Any) -> dict[str, Any]:
    return {str(one.customer_id): one.expires_on for one in sea.rows(Assignment)}


def _runs(sea: Any) -> list[Run]:
    return sorted(sea.rows(Run), key=lambda run: run.number)


def _run(sea: Any) -> Any:
    """Today's run as an administrator reads it."""
    (newest, *_) = sea.send("GET", "/rules/runs", sea.organisation.admin).json["items"]
    return sea.send("GET", f"/rules/runs/{newest['id']}", sea.organisation.admin).json


def _decide(sea: Any, verb: str, run: Any, member: Any = None, body: Any = None, **headers: str) -> Any:
    body = {} if verb == "confirm" and body is None else body
    return sea.send("POST", f"/rules/runs/{run['id']}:{verb}", member or sea.organisation.admin, body, **headers)


def _held(sea: Any) -> list[Any]:
    return sea.opened.outbox(events.RecyclingHeld)


@pytest.fixture
def rule(sea: Any) -> Any:
    """30 days without a follow-up, for everybody, into the default public pool; yesterday's run came to its end."""
    id_ = sea.put_in_force(sea.default())
    sea.sql(
        "INSERT INTO recycling_runs (id, day, state, started_at, finished_at, walk, nominated, taken, spared) VALUES"
        f" (gen_random_uuid(), '{_day(-1)}', 'finished', now() - interval '24 hours', now() - interval '24 hours', 1, 0, 0, 0)",
    )
    return id_


def test_what_expired_goes_to_the_pool_with_its_rule_in_the_history_and_everybody_is_told(sea: Any, rule: Any) -> None:
    sales = sea.organisation.sales
    kept, gone = sea.own(9, sales), sea.own(1, sales)
    sea.expire(gone)
    sea.expire(kept, days=0)

    sea.recycle()

    assert Counter(sea.owners().values()) == {sales.id: 9, None: 1}
    (entry,) = [one for one in sea.history(gone[0]) if one.cause == "recycle"]
    assert (entry.from_owner_id, entry.to_pool_id, entry.rule_id, entry.actor_id) == (
        sales.id,
        sea.default(),
        rule,
        None,
    )
    assert _days(sea)[gone[0]] is None
    assert [state.customer_id for state in sea.customer.applied] == gone
    (changed,) = [one for one in sea.opened.outbox(events.AssignmentsChanged) if one.cause == events.CAUSE_RECYCLE]
    (finished,) = sea.opened.outbox(events.AssignmentBatchFinished)
    assert changed.batch_id == finished.batch_id
    assert [(one.member_id, one.customers) for one in finished.former_owners] == [(str(sales.id), 1)]
    run = _run(sea)
    assert (run["day"], run["state"], run["nominated"], run["taken"]) == (str(_day()), "finished", 1, 1)
    assert run["release_ids"] == [finished.batch_id]


def test_the_last_day_is_the_owners_to_its_end(sea: Any, rule: Any) -> None:
    ids = sea.own(2, sea.organisation.sales)
    sea.expire(ids, days=0)

    sea.recycle()

    assert set(_days(sea).values()) == {_day()}
    assert set(sea.owners().values()) == {sea.organisation.sales.id}


def test_a_day_has_one_run_and_no_customer_that_was_just_claimed_is_taken_again(sea: Any, rule: Any) -> None:
    """W9: the job of every five minutes took a customer away again right after the claim, its last note being old."""
    (one,) = sea.own(1, sea.organisation.sales)
    sea.own(9, sea.organisation.sales)
    sea.expire([one])
    sea.recycle()
    assert sea.act("claim", sea.organisation.colleague, [one]).status_code == 200

    sea.recycle()
    sea.next_day()
    sea.recycle()

    assert sea.owners()[one] == sea.organisation.colleague.id
    assert [run.taken for run in _runs(sea)] == [0, 1, 0]


def test_nothing_runs_before_its_time_of_day(sea: Any, rule: Any) -> None:
    sea.expire(sea.own(1, sea.organisation.sales))
    sea.sql("UPDATE pool_settings SET recycle_at = '23:59:59.999'")

    assert not sea.run("recycle")

    assert len(_runs(sea)) == 1


def test_a_customer_without_any_touch_runs_from_the_day_it_was_given(sea: Any, rule: Any) -> None:
    """CordysCRM: a time that is null counts as overdue, so new customers were taken by the first run."""
    ids = sea.own(60, sea.organisation.sales)
    sea.expire([])

    sea.recycle()

    assert {sea.owners()[one] for one in ids} == {sea.organisation.sales.id}


def test_a_pool_open_to_nobody_takes_nobodys_customers(sea: Any, rule: Any) -> None:
    """W11: an empty list of members fell back to every owner of the company."""
    nobodys = sea.create_pool(open_to_all=False, member_ids=[str(sea.organisation.rival.id)])
    sea.put_in_force(nobodys["id"], {"kind": "no_follow_up", "days": 1})
    ids = sea.own(3, sea.organisation.sales)
    sea.expire(ids, days=-20)
    sea.sql("UPDATE pools SET member_ids = '{}' WHERE NOT open_to_all")
    sea.sql(
        "UPDATE recycle_rules SET state = 'ended' WHERE pool_id <> (SELECT id FROM pools WHERE NOT open_to_all LIMIT 1)",
    )
    sea.sql(f"UPDATE assignments SET expires_on = '{_day(-5)}'")

    sea.recycle()

    assert {sea.owners()[one] for one in ids} == {sea.organisation.sales.id}
    assert set(_days(sea).values()) == {None}


def test_what_customer_says_this_moment_saves_what_no_event_has_told_of(sea: Any, rule: Any) -> None:
    sales = sea.organisation.sales
    touched, locked, friend, won, gone = ids = sea.own(5, sales)
    sea.own(20, sales)
    sea.expire(ids)
    newer = {
        touched: {"last_touch_at": _now()},
        locked: {"locked": True},
        friend: {"wecom_friend": True},
        won: {"won": True},
    }
    for state in sea.customer.states:
        if state.id in newer:
            state.facts_version = 5
            state.MergeFrom(facts.CustomerState(**newer[state.id]))

    sea.recycle()

    assert [one for one in ids if sea.owners()[one] is None] == [gone]
    assert (_days(sea)[touched], _days(sea)[locked], _days(sea)[won]) == (_day(30), None, None)
    run = _run(sea)
    assert (run["nominated"], run["taken"], run["spared"], run["state"]) == (5, 1, 4, "finished")
    told = {one.customer_id: one.expires_on for one in sea.customer.applied}
    assert told[touched] == str(_day(30))


def test_a_touch_between_the_question_and_the_taking_saves_the_customer(sea: Any, rule: Any) -> None:
    (one,) = sea.own(1, sea.organisation.sales)
    sea.own(9, sea.organisation.sales)
    sea.expire([one])
    sea.customer.after_facts = lambda: sea.report_again([one], version=9, last_touch_at=_now())

    sea.recycle()

    assert sea.owners()[one] == sea.organisation.sales.id
    assert _days(sea)[one] == _day(30)


def test_while_customer_is_away_nothing_is_taken_and_the_run_goes_on_afterwards(sea: Any, rule: Any) -> None:
    (one,) = sea.own(1, sea.organisation.sales)
    sea.own(9, sea.organisation.sales)
    sea.expire([one])
    sea.customer.away = True
    for _ in range(3):
        with pytest.raises(Unavailable):
            sea.run("recycle")
    meanwhile = (sea.owners()[one], _run(sea)["state"])

    sea.customer.away = False
    sea.recycle()

    assert meanwhile == (sea.organisation.sales.id, "running")
    assert (sea.owners()[one], _run(sea)["state"]) == (None, "finished")


def test_a_customer_that_customer_does_not_know_or_has_deleted_is_left_alone(sea: Any, rule: Any) -> None:
    unknown, deleted, gone = sea.own(3, sea.organisation.sales)
    sea.own(20, sea.organisation.sales)
    sea.expire([unknown, deleted, gone])
    sea.customer.states = [one for one in sea.customer.states if one.id != unknown]
    for state in sea.customer.states:
        state.deleted = state.id == deleted

    sea.recycle()

    assert [sea.owners()[one] for one in (unknown, deleted, gone)] == [sea.organisation.sales.id] * 2 + [None]
    assert _run(sea)["state"] == "finished"


def test_a_version_of_a_rule_does_not_recycle_before_every_customer_has_its_day_by_it(sea: Any, rule: Any) -> None:
    (one,) = sea.own(1, sea.organisation.sales)
    sea.own(9, sea.organisation.sales)
    sea.expire([one])
    sea.put_in_force(sea.default(), {"kind": "no_follow_up", "days": 10})

    sea.recycle()
    meanwhile = sea.owners()[one]
    sea.expire([])
    sea.recycle()

    assert (meanwhile, sea.owners()[one]) == (sea.organisation.sales.id, None)


def test_customers_of_whoever_left_wait_for_their_hand_over(sea: Any, rule: Any) -> None:
    sales = sea.organisation.sales
    sea.expire(sea.own(2, sales))
    sea.leave(sales)

    sea.recycle()

    assert set(sea.owners().values()) == {sales.id}
    assert _runs(sea)[-1].nominated == 0


def test_two_recyclers_at_once_take_each_customer_once(sea: Any, rule: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_pool.recycling.commands.PAGE", 7)
    owners = [sea.hire(f"甲{number}") for number in range(10)]
    gone = [sea.own(4, owner) for owner in owners]
    for owner in owners:
        sea.own(20, owner)
    sea.expire([one for ids in gone for one in ids])
    barrier = threading.Barrier(4)

    def work(_number: int) -> None:
        barrier.wait()
        sea.recycle()

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(work, range(4)))

    assert all(len(sea.history(one)) == 2 for ids in gone for one in ids)
    assert list(sea.owners().values()).count(None) == 40
    (run,) = [run for run in _runs(sea) if run.day == _day()]
    assert (run.taken, run.spared, run.state) == (40, 0, "finished")
    assert [one.succeeded for one in sea.opened.outbox(events.AssignmentBatchFinished)] == [40]


def test_a_page_needs_as_many_statements_for_many_customers_as_for_few(sea: Any, rule: Any) -> None:
    counts = []
    for size in (2, 40):
        sea.next_day()
        owner = sea.hire(f"业务{size}")
        sea.expire(sea.own(size, owner))
        sea.own(size * 5, owner)
        assert sea.run("recycle")
        sea.sql("UPDATE recycling_runs SET after_customer_id = NULL, after_expires_on = NULL, taken = 0")
        sea.expire(sea.own(size, owner))
        with sea.counting_statements() as statements:
            assert sea.run("recycle")
        counts.append(len(statements))
        sea.recycle()

    assert counts[0] == counts[1]


class TestHeld:
    """A run that would do too much, or begins where nobody expects it, waits for a person."""

    def test_after_36_hours_without_a_run_nothing_is_taken_unasked(self, sea: Any, rule: Any) -> None:
        (one,) = sea.own(1, sea.organisation.sales)
        sea.own(20, sea.organisation.sales)
        sea.expire([one])
        sea.sql("UPDATE recycling_runs SET started_at = started_at - interval '13 hours', day = day - 1")

        sea.recycle()

        run = _run(sea)
        assert (sea.owners()[one], run["state"], run["reasons"]) == (
            sea.organisation.sales.id,
            "held",
            ["missed_runs"],
        )
        assert (run["waiting"], run["waiting_owners"][0]["owner"]["name"]) == (1, "张三")
        (told,) = _held(sea)
        managers = {str(sea.organisation.operations.id), str(sea.organisation.admin.id)}
        assert (told.customers, set(told.receiver_ids)) == (1, managers)
        listed = sea.send("GET", f"/rules/runs/{run['id']}/customers", sea.organisation.admin).json
        assert [(item["customer_id"], item["owner"]["name"]) for item in listed["items"]] == [(one, "张三")]

        assert _decide(sea, "confirm", run).json["state"] == "running"
        sea.recycle()

        assert (sea.owners()[one], _run(sea)["state"], _run(sea)["decided_by"]["name"]) == (None, "finished", "管理员")

    def test_a_clock_that_went_back_takes_nothing_unasked(self, sea: Any, rule: Any) -> None:
        sea.expire(sea.own(1, sea.organisation.sales))
        sea.own(20, sea.organisation.sales)
        sea.sql("UPDATE recycling_runs SET started_at = now() + interval '3 hours'")

        sea.recycle()

        assert (_run(sea)["state"], _run(sea)["reasons"]) == ("held", ["clock_went_back"])
        assert None not in sea.owners().values()

    def test_a_run_that_has_nothing_to_take_is_not_held(self, sea: Any, rule: Any) -> None:
        sea.own(1, sea.organisation.sales)
        sea.expire([])
        sea.sql("UPDATE recycling_runs SET started_at = started_at - interval '3 days', day = day - 3")

        sea.recycle()

        assert (_run(sea)["state"], _held(sea)) == ("finished", [])

    def test_an_owner_who_would_lose_too_much_keeps_all_of_it_while_the_others_go(self, sea: Any, rule: Any) -> None:
        sales, colleague = sea.organisation.sales, sea.organisation.colleague
        many, few = sea.own(5, sales), sea.own(4, colleague)
        sea.own(19, sales)
        sea.expire([*many, *few])

        sea.recycle()

        owners = sea.owners()
        assert {owners[one] for one in many} == {sales.id}
        assert {owners[one] for one in few} == {None}
        run = _run(sea)
        assert (run["state"], run["reasons"], run["taken"], run["waiting"]) == ("held", ["owner_share"], 4, 5)
        assert run["waiting_owners"] == [
            {"owner": {"id": str(sales.id), "name": "张三"}, "customers": 5, "owned": 24, "held": True}
        ]
        assert str(sea.organisation.supervisor.id) in _held(sea)[0].receiver_ids
        assert _decide(sea, "confirm", run, body={"owner_ids": [str(colleague.id)]}).status_code == 422

        assert _decide(sea, "confirm", run, body={"owner_ids": [str(sales.id)]}).status_code == 200
        sea.recycle()

        assert {sea.owners()[one] for one in many} == {None}
        assert (_run(sea)["state"], len(_run(sea)["release_ids"]), len(sea.rows(Release))) == ("finished", 2, 2)

    def test_a_twentieth_of_the_company_waits_wholly(self, sea: Any, rule: Any) -> None:
        owners = [sea.hire(f"员工{number}") for number in range(25)]
        gone = [one for owner in owners for one in sea.own(2, owner)]
        for owner in owners:
            sea.own(37, owner)
        sea.expire(gone)

        sea.recycle()

        run = _run(sea)
        assert (run["state"], run["reasons"], run["taken"], run["waiting"]) == ("held", ["company_share"], 0, 50)
        assert {owner["held"] for owner in run["waiting_owners"]} == {False}

    def test_fewer_than_a_twentieth_go_unasked(self, sea: Any, rule: Any) -> None:
        owners = [sea.hire(f"员工{number}") for number in range(25)]
        sea.expire([one for owner in owners for one in sea.own(2, owner)])
        for owner in owners:
            sea.own(38, owner)

        sea.recycle()

        assert (_run(sea)["state"], _run(sea)["taken"]) == ("finished", 50)

    def test_what_expires_after_the_run_was_looked_at_is_looked_at_before_it_goes(
        self, sea: Any, rule: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The breaker counts what the day's run took already."""
        monkeypatch.setattr("crm_pool.recycling.commands.PAGE", 4)
        sales = sea.organisation.sales
        first = sea.own(4, sales)
        later = sea.own(2, sales)
        sea.own(10, sales)
        sea.expire(first)
        sea.run("recycle")

        sea.expire(later)
        sea.recycle()

        assert {sea.owners()[one] for one in later} == {sales.id}
        assert (_run(sea)["state"], _run(sea)["taken"], _run(sea)["waiting"]) == ("held", 4, 2)

    def test_who_refuses_a_run_stops_it_for_the_day_and_keeps_what_went(self, sea: Any, rule: Any) -> None:
        sales, colleague = sea.organisation.sales, sea.organisation.colleague
        ids = sea.own(5, sales)
        sea.expire([*ids, *sea.own(1, colleague)])
        sea.recycle()

        assert _decide(sea, "drop", _run(sea)).json["state"] == "dropped"
        sea.recycle()

        assert Counter(sea.owners().values()) == {sales.id: 5, None: 1}
        for verb, code in (("confirm", "run_not_held"), ("drop", "run_over")):
            reply = _decide(sea, verb, _run(sea))
            assert (reply.status_code, reply.json["code"]) == (409, code)
        with sea.opened.database.reading() as session:
            (entry,) = audit_of(session, "recycling_run", _runs(sea)[-1].id)
        assert (entry.action, entry.actor_id) == ("recycling_run.dropped", sea.organisation.admin.id)

    def test_whoever_nobody_decided_about_is_asked_for_again_on_the_next_day(self, sea: Any, rule: Any) -> None:
        ids = sea.own(5, sea.organisation.sales)
        sea.expire(ids)
        sea.recycle()
        sea.next_day()

        sea.recycle()

        assert [run.state for run in _runs(sea)] == ["finished", "dropped", "held"]
        assert set(sea.owners().values()) == {sea.organisation.sales.id}

    def test_a_confirmation_sent_twice_is_one(self, sea: Any, rule: Any) -> None:
        sea.expire(sea.own(5, sea.organisation.sales))
        sea.recycle()
        run = _run(sea)

        replies = [_decide(sea, "confirm", run, Idempotency_Key="k1") for _ in range(2)]

        assert [reply.status_code for reply in replies] == [200, 200]
        assert _runs(sea)[-1].walk == 2

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [({"owner_ids": []}, "/owner_ids"), ({"owner_ids": ["x"]}, "/owner_ids/0"), ({"all": True}, "/all")],
    )
    def test_a_confirmation_that_makes_no_sense_says_what_is_wrong(
        self, sea: Any, rule: Any, body: Any, pointer: str
    ) -> None:
        sea.expire(sea.own(5, sea.organisation.sales))
        sea.recycle()

        reply = _decide(sea, "confirm", _run(sea), body=body)

        assert (reply.status_code, [error["pointer"] for error in reply.json["errors"]]) == (422, [pointer])
        assert _run(sea)["state"] == "held"

    def test_only_who_manages_pools_sees_and_decides(self, sea: Any, rule: Any) -> None:
        sea.expire(sea.own(5, sea.organisation.sales))
        sea.recycle()
        run, sales = _run(sea), sea.organisation.sales

        assert sea.send("GET", "/rules/runs", sales).status_code == 403
        assert _decide(sea, "confirm", run, sales).status_code == 403
        assert sea.send("POST", f"/rules/runs/{sea.default()}:drop", sea.organisation.admin).status_code == 404


def test_a_run_reads_what_expires_and_not_what_exists(sea: Any, rule: Any) -> None:
    owners = [sea.hire(f"员工{number}") for number in range(5)]
    sea.expire([one for owner in owners for one in sea.own(2, owner)])
    sea.sql(
        "INSERT INTO assignments (customer_id, version, owner_id, pool_id, held_since, suspended, expires_on)"
        " SELECT gen_random_uuid(), 1, CASE WHEN n % 2 = 0 THEN gen_random_uuid() END, CASE WHEN n % 2 = 1 THEN"
        f" '{sea.default()}'::uuid END, now(), false, CASE WHEN n % 2 = 0 THEN '{_day(9)}'::date END"
        " FROM generate_series(1, 20000) AS n"
    )
    sea.sql("ANALYZE assignments")
    read = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'assignments'"

    with sea.opened.database.transaction() as session:
        page = next_page(session, clock.now())
        rows = session.scalar(text(read))

    assert page is not None
    assert len(page.expired) == 10
    assert rows < 500


def test_what_a_run_took_before_it_stopped_half_way_is_a_release_when_the_next_days_begins(
    sea: Any, rule: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W11: a job that failed left a part of its work behind, and nobody knew which."""
    monkeypatch.setattr("crm_pool.recycling.commands.PAGE", 2)
    sea.expire(sea.own(4, sea.organisation.sales))
    sea.own(20, sea.organisation.sales)
    sea.run("recycle")
    sea.customer.away = True
    with pytest.raises(Unavailable):
        sea.run("recycle")
    assert sea.rows(Release) == []
    sea.next_day()
    sea.customer.away = False

    sea.recycle()

    assert [(one.customers, one.cause) for one in sea.rows(Release)] == [(2, "recycle"), (2, "recycle")]
    assert [(run.state, run.taken) for run in _runs(sea)[1:]] == [("dropped", 2), ("finished", 2)]


def test_what_waits_and_what_is_overdue_is_measured(sea: Any, rule: Any) -> None:
    sales = sea.organisation.sales
    sea.expire([*sea.own(5, sales), *sea.own(1, sea.organisation.colleague)])
    before = REGISTRY.get_sample_value("crm_recycling_customers_total", {"outcome": "taken"})
    sea.recycle()

    sea.run("measure-recycling")

    measured = {name: REGISTRY.get_sample_value(f"crm_recycling_{name}") for name in ("runs_held", "overdue")}
    assert measured == {"runs_held": 1, "overdue": 5}
    assert REGISTRY.get_sample_value("crm_recycling_customers_total", {"outcome": "taken"}) == (before or 0) + 1
    last = REGISTRY.get_sample_value("crm_recycling_last_finished_timestamp_seconds")
    assert last == _runs(sea)[-1].started_at.timestamp()


def test_a_run_is_undone_as_a_release_but_for_what_was_claimed_since(sea: Any, rule: Any) -> None:
    sales, colleague = sea.organisation.sales, sea.organisation.colleague
    one, two, claimed = sea.own(3, sales)
    sea.own(20, sales)
    sea.expire([one, two, claimed])
    sea.recycle()
    (release_id,) = _run(sea)["release_ids"]
    assert sea.act("claim", colleague, [claimed]).status_code == 200

    undo = sea.send("POST", f"/releases/{release_id}:undo", sea.organisation.admin)
    sea.finish()

    assert undo.status_code == 202
    assert [sea.owners()[id_] for id_ in (one, two, claimed)] == [sales.id, sales.id, colleague.id]
    assert _days(sea)[one] == _day(30)


def test_each_target_pool_has_a_release_of_its_own(sea: Any, rule: Any) -> None:
    old, inside = (
        sea.create_pool(),
        sea.create_pool(open_to_all=False, member_ids=[str(sea.organisation.sales.id)], priority=5),
    )
    sea.put_in_force(inside["id"], target_pool_id=old["id"])
    sea.expire([*sea.own(1, sea.organisation.sales), *sea.own(1, sea.organisation.colleague)])
    sea.own(9, sea.organisation.sales)

    sea.recycle()

    assert {(one.pool_id, one.owner_id, one.customers) for one in sea.rows(Release)} == {
        (sea.default(), sea.organisation.colleague.id, 1),
        (type(sea.default())(old["id"]), sea.organisation.sales.id, 1),
    }
    assert sorted(_run(sea)["release_ids"]) == sorted(str(one.id) for one in sea.rows(Release))


def test_whoever_lost_a_customer_to_a_run_waits_as_after_a_release(sea: Any, rule: Any) -> None:
    sea.change_pool(sea.default(), cool_down_days=3)
    (one,) = sea.own(1, sea.organisation.sales)
    sea.own(9, sea.organisation.sales)
    sea.expire([one])
    sea.recycle()

    reply = sea.act("claim", sea.organisation.sales, [one])

    assert (reply.status_code, reply.json["code"]) == (409, "cooling_down")


class TestCascade:
    """What nobody claims goes on to the next pool."""

    @pytest.fixture
    def age(self, sea: Any) -> Callable[[str, int], None]:
        sea.sql("UPDATE pool_settings SET recycle_at = '00:00'")
        return lambda id_, days: sea.sql(
            f"UPDATE assignments SET held_since = held_since - interval '{days} days' WHERE customer_id = '{id_}'",
        )

    def test_after_its_days_a_customer_goes_on_once_a_day(self, sea: Any, age: Any) -> None:
        last = sea.create_pool(name="三池")
        middle = sea.create_pool(name="二池", cascade_pool_id=last["id"], cascade_after_days=1)
        first = sea.create_pool(name="一池", cascade_pool_id=middle["id"], cascade_after_days=7)
        stays, goes = sea.create(2, pool=first["id"])
        age(stays, 7)
        age(goes, 8)

        while sea.run("cascade"):
            pass

        places = {str(one.customer_id): str(one.pool_id) for one in sea.rows(Assignment)}
        assert places == {stays: first["id"], goes: middle["id"]}
        assert [entry.cause for entry in sea.history(goes)] == ["birth", "cascade"]
        assert [state.customer_id for state in sea.customer.applied] == [goes]

    def test_pools_that_follow_each_other_in_a_circle_move_a_customer_once(self, sea: Any, age: Any) -> None:
        one, other = sea.create_pool(), sea.create_pool()
        sea.sql(f"UPDATE pools SET cascade_pool_id = '{other['id']}', cascade_after_days = 1 WHERE id = '{one['id']}'")
        sea.sql(f"UPDATE pools SET cascade_pool_id = '{one['id']}', cascade_after_days = 1 WHERE id = '{other['id']}'")
        (id_,) = sea.create(pool=one["id"])
        age(id_, 9)

        while sea.run("cascade"):
            pass

        assert len(sea.history(id_)) == 2
