"""Runs: what expired goes back to its pool once a day, confirmed, bounded, and undone as a release (decision 0024)."""

import itertools
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from prometheus_client import REGISTRY
from sqlalchemy import text

from chassis import clock
from chassis.days import day_of
from chassis.errors import Unavailable
from chassis.identifiers import new_id
from crm.customer.v1 import customer_events_pb2 as facts
from crm.pool.v1 import pool_events_pb2 as events
from crm_pool.assignments.model import AssignmentRow
from crm_pool.assignments.records import Release
from crm_pool.recycling.commands import next_page
from crm_pool.recycling.model import Run
from crm_pool.recycling.queries import expired_behind
from crm_pool.recycling.taking import take
from tests.support.plans import explained, rows_read

ZONE = "Asia/Shanghai"


def _day(days: int = 0) -> Any:
    return day_of(clock.now(), ZONE) + timedelta(days=days)


def _now() -> Timestamp:
    moment = Timestamp()
    moment.FromDatetime(clock.now())
    return moment


def _days(sea: Any) -> dict[str, Any]:
    return {str(one.customer_id): one.expires_on for one in sea.rows(AssignmentRow)}


def test_what_expired_goes_to_the_pool_with_its_rule_in_the_history_and_everybody_is_told(sea: Any, rule: Any) -> None:
    sales = sea.organisation.sales
    kept, gone = sea.own(9, sales), sea.own(1, sales)
    sea.expire(gone)
    sea.expire(kept, days=0)

    sea.recycle()

    assert Counter(sea.owners().values()) == {sales.id: 9, None: 1}
    (entry,) = [one for one in sea.history(gone[0]) if one.cause == "recycle"]
    assert (entry.from_owner_id, entry.to_pool_id) == (sales.id, sea.default())
    assert (entry.rule_id, entry.actor_id) == (rule, None)
    assert _days(sea)[gone[0]] is None
    assert sea.customer.told == [], "customer reads it from the event"
    (changed,) = [one for one in sea.opened.outbox(events.AssignmentsChanged) if one.cause == events.CAUSE_RECYCLE]
    (finished,) = sea.opened.outbox(events.AssignmentBatchFinished)
    assert changed.batch_id == finished.batch_id
    assert [(one.member_id, one.customers) for one in finished.former_owners] == [(str(sales.id), 1)]
    run = sea.shown_run()
    assert (run["day"], run["state"], run["nominated"], run["taken"]) == (str(_day()), "finished", 1, 1)
    assert run["release_ids"] == [finished.batch_id]


def test_what_a_run_takes_is_told_by_column_with_its_former_owners(sea: Any, rule: Any) -> None:
    owners = sea.organisation.sales, sea.organisation.colleague
    ids = {sea.own(1, owner)[0]: owner for owner in owners}
    sea.own(20, sea.organisation.sales)
    sea.own(20, sea.organisation.colleague)
    sea.expire(list(ids))

    sea.recycle()

    (told,) = [one for one in sea.opened.outbox(events.AssignmentsChanged) if one.cause == events.CAUSE_RECYCLE]
    (moved,) = told.together
    (finished,) = sea.opened.outbox(events.AssignmentBatchFinished)
    assert (len(told.changes), told.batch_id, told.actor_id) == (0, finished.batch_id, "")
    assert (moved.common.customer_id, moved.common.version) == ("", 0)
    assert (moved.common.place.pool_id, moved.common.had_owner) == (str(sea.default()), True)
    assert dict(zip(moved.customer_ids, moved.former_owner_ids, strict=True)) == {
        id_: str(owner.id) for id_, owner in ids.items()
    }
    assert list(moved.customer_names) == ["星河贸易"] * 2
    states = {one.customer_id: one for one in sea.assignments(moved.customer_ids)}
    assert list(moved.versions) == [states[UUID(id_)].version for id_ in moved.customer_ids]


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
    assert [run.taken for run in sea.runs()] == [0, 1, 0]


def test_nothing_runs_before_its_time_of_day(sea: Any, rule: Any) -> None:
    sea.expire(sea.own(1, sea.organisation.sales))
    sea.sql("UPDATE pool_settings SET recycle_at = '23:59:59.999'")

    assert not sea.run("recycle")

    assert len(sea.runs()) == 1


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
    sea.sql(f"UPDATE recycle_rules SET state = 'ended' WHERE id = '{rule}'")
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
    run = sea.shown_run()
    assert (run["nominated"], run["taken"], run["spared"], run["state"]) == (5, 1, 4, "finished")
    changes = [change for message in sea.opened.outbox(events.AssignmentsChanged) for change in message.changes]
    told = {change.state.customer_id: change.state.expires_on for change in changes}
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
    meanwhile = (sea.owners()[one], sea.shown_run()["state"])

    sea.customer.away = False
    sea.recycle()

    assert meanwhile == (sea.organisation.sales.id, "running")
    assert (sea.owners()[one], sea.shown_run()["state"]) == (None, "finished")


def test_pages_whose_facts_were_confirmed_are_taken_though_customer_goes_away_before_the_next(
    sea: Any, rule: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crm_pool.recycling.commands.PAGE", 2)
    gone = sea.own(6, sea.organisation.sales)
    sea.own(60, sea.organisation.sales)
    sea.expire(gone)
    answers = itertools.count(1)

    def leave() -> None:
        sea.customer.away = next(answers) == 2

    sea.customer.after_facts = leave
    with pytest.raises(Unavailable):
        sea.run("recycle")
    meanwhile = (list(sea.owners().values()).count(None), sea.shown_run()["state"])

    sea.customer.away = False
    sea.recycle()

    assert meanwhile == (4, "running")
    assert {sea.owners()[one] for one in gone} == {None}
    assert sea.shown_run()["taken"] == 6


def test_a_customer_that_customer_does_not_know_or_has_deleted_is_left_alone(sea: Any, rule: Any) -> None:
    unknown, deleted, gone = sea.own(3, sea.organisation.sales)
    sea.own(20, sea.organisation.sales)
    sea.expire([unknown, deleted, gone])
    sea.customer.states = [one for one in sea.customer.states if one.id != unknown]
    for state in sea.customer.states:
        if state.id == deleted:
            state.deleted, state.facts_version = True, 2

    sea.recycle()

    assert [sea.owners()[one] for one in (unknown, deleted, gone)] == [sea.organisation.sales.id] * 2 + [None]
    assert sea.shown_run()["state"] == "finished"


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


def test_a_customer_that_cannot_be_judged_is_spared_and_holds_up_nobody_else(sea: Any, rule: Any) -> None:
    gone, odd = sea.own(2, sea.organisation.sales)
    sea.own(9, sea.organisation.sales)
    sea.expire([gone, odd])
    for state in sea.customer.states:
        if state.id == odd:
            state.facts_version = 2
            state.last_touch_at.FromJsonString("9999-12-31T23:00:00Z")  # no such day in the organisation's zone
    before = REGISTRY.get_sample_value("crm_expiry_unjudged_total") or 0

    sea.recycle()

    assert (sea.owners()[gone], sea.owners()[odd]) == (None, sea.organisation.sales.id)
    run = sea.shown_run()
    assert (run["taken"], run["spared"], run["state"]) == (1, 1, "finished")
    assert REGISTRY.get_sample_value("crm_expiry_unjudged_total") == before + 2, "in the run, and for its new day"


def test_customers_of_whoever_left_wait_for_their_hand_over(sea: Any, rule: Any) -> None:
    sales = sea.organisation.sales
    sea.expire(sea.own(2, sales))
    sea.leave(sales)

    sea.recycle()

    assert set(sea.owners().values()) == {sales.id}
    assert sea.runs()[-1].nominated == 0


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
    (run,) = [run for run in sea.runs() if run.day == _day()]
    assert (run.taken, run.spared, run.state) == (40, 0, "finished")
    assert [one.succeeded for one in sea.opened.outbox(events.AssignmentBatchFinished)] == [40]


def test_a_page_needs_as_many_statements_for_many_customers_as_for_few(
    sea: Any, rule: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crm_pool.recycling.due.PAGES_AT_ONCE", 1)
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


def test_a_page_is_taken_by_reading_its_customers_alone_whatever_is_known_of_the_tables(sea: Any, rule: Any) -> None:
    assigned = (
        "INSERT INTO assignments (customer_id, version, owner_id, held_since, suspended, expires_on)"
        f" SELECT id, 1, '{sea.organisation.sales.id}', now() - interval '40 days', false, '{_day(-9)}' FROM customers"
    )
    sea.sql(
        "INSERT INTO customers (id, facts_version, name, deleted)"
        " SELECT gen_random_uuid(), 1, n::text, false FROM generate_series(1, 20000) AS n"
    )
    sea.sql(assigned)
    run = Run(id=new_id(), day=_day(), walk=1)

    with (
        sea.opened.database.transaction() as session,
        explained(sea.opened.database.engine, "FROM assignments") as plans,
    ):
        page = expired_behind(session, run, None, 500)
        outcome = take(session, run, page, [sea.default()], clock.now())

    assert outcome == (500, 0)
    assert sum(map(rows_read, plans)) < 500 * 8


def test_what_a_run_took_before_it_stopped_half_way_is_a_release_when_the_next_days_begins(
    sea: Any, rule: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W11: a job that failed left a part of its work behind, and nobody knew which."""
    monkeypatch.setattr("crm_pool.recycling.due.PAGES_AT_ONCE", 1)
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
    assert [(run.state, run.taken) for run in sea.runs()[1:]] == [("dropped", 2), ("finished", 2)]


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
    assert last == sea.runs()[-1].started_at.timestamp()


def test_a_run_is_undone_as_a_release_but_for_what_was_claimed_since(sea: Any, rule: Any) -> None:
    sales, colleague = sea.organisation.sales, sea.organisation.colleague
    one, two, claimed = sea.own(3, sales)
    sea.own(20, sales)
    sea.expire([one, two, claimed])
    sea.recycle()
    (release_id,) = sea.shown_run()["release_ids"]
    assert sea.act("claim", colleague, [claimed]).status_code == 200

    undo = sea.send("POST", f"/releases/{release_id}:undo", sea.organisation.admin)
    sea.finish()

    assert undo.status_code == 202
    assert [sea.owners()[id_] for id_ in (one, two, claimed)] == [sales.id, sales.id, colleague.id]
    assert _days(sea)[one] == _day(30)


def test_each_target_pool_has_a_release_of_its_own(sea: Any, rule: Any) -> None:
    old = sea.create_pool()
    inside = sea.create_pool(open_to_all=False, member_ids=[str(sea.organisation.sales.id)], priority=5)
    sea.put_in_force(inside["id"], target_pool_id=old["id"])
    sea.expire([*sea.own(1, sea.organisation.sales), *sea.own(1, sea.organisation.colleague)])
    sea.own(9, sea.organisation.sales)

    sea.recycle()

    assert {(one.pool_id, one.owner_id, one.customers) for one in sea.rows(Release)} == {
        (sea.default(), sea.organisation.colleague.id, 1),
        (UUID(old["id"]), sea.organisation.sales.id, 1),
    }
    assert sorted(sea.shown_run()["release_ids"]) == sorted(str(one.id) for one in sea.rows(Release))


def test_whoever_lost_a_customer_to_a_run_waits_as_after_a_release(sea: Any, rule: Any) -> None:
    sea.change_pool(sea.default(), cool_down_days=3)
    (one,) = sea.own(1, sea.organisation.sales)
    sea.own(9, sea.organisation.sales)
    sea.expire([one])
    sea.recycle()

    reply = sea.act("claim", sea.organisation.sales, [one])

    assert (reply.status_code, reply.json["code"]) == (409, "cooling_down")
