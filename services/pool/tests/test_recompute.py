"""Days are computed anew when a rule, pool, calendar, zone, department or member changes what they depend on."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from chassis import clock
from chassis.days import day_of
from crm.identity.v1 import identity_events_pb2 as identity
from crm.pool.v1 import pool_events_pb2 as pb
from crm_pool.assignments.model import AssignmentRow
from crm_pool.expiry.rules import with_warning
from crm_pool.recycle_rules import recomputing
from crm_pool.recycle_rules.model import Recompute
from crm_pool.recycle_rules.queries import unsettled_rules
from directory import store

WARNING = 3


def _today() -> date:
    return day_of(clock.now(), "Asia/Shanghai")


def _day(days: int) -> date:
    return _today() + timedelta(days=days)


def _stamp(at: datetime) -> Timestamp:
    moment = Timestamp()
    moment.FromDatetime(at)
    return moment


def _days(sea: Any) -> dict[str, date | None]:
    return {str(one.customer_id): one.expires_on for one in sea.rows(AssignmentRow)}


def _unsettled(sea: Any) -> set[Any]:
    with sea.opened.database.reading() as session:
        return unsettled_rules(session)


def test_a_rule_that_takes_effect_gives_days_to_all_it_governs_and_recycles_once_it_has(sea: Any) -> None:
    """What others say of changed rules, that they hold for new customers alone, is not so here: they hold for all."""
    ids = sea.held_for(20, 5)
    rule_id = sea.put_in_force(sea.default())
    assert _unsettled(sea) == {rule_id}

    sea.recompute()
    assert _days(sea) == dict.fromkeys(ids, _day(10))
    assert _unsettled(sea) == set()
    (recompute,) = sea.rows(Recompute)
    assert (recompute.causes[0], recompute.examined, recompute.changed) == ("rules", 5, 5)
    (changed,) = [one for one in sea.opened.outbox(pb.AssignmentsChanged) if one.cause == pb.CAUSE_RESCHEDULE]
    assert (changed.batch_id, changed.actor_id, len(changed.changes)) == (str(recompute.id), "", 5)


def test_nothing_is_computed_while_nothing_changes_or_no_rule_is_there(sea: Any) -> None:
    sea.held_for(20)
    sea.hire("another")
    sea.recompute()
    assert sea.rows(Recompute) == []

    sea.put_in_force(sea.default())
    for _ in range(3):
        sea.recompute()
    assert len(sea.rows(Recompute)) == 1


@pytest.mark.parametrize("days", [1, 19, 22])
def test_a_rule_never_takes_a_customer_before_the_warning_days_are_over(sea: Any, days: int) -> None:
    (id_,) = sea.held_for(20)
    sea.put_in_force(sea.default(), {"kind": "no_follow_up", "days": days})

    sea.recompute()
    assert _days(sea) == {id_: _day(WARNING)}


def test_switched_off_a_rule_clears_all_days_and_switched_on_it_computes_them_from_the_real_clocks(sea: Any) -> None:
    """Elsewhere switching off and on starts every clock anew, so that nobody ever expires."""
    old, touched = sea.held_for(20, 2)
    sea.report_again([touched], owner=sea.organisation.sales, last_touch_at=_stamp(clock.now() - timedelta(days=5)))
    rule_id = sea.put_in_force(sea.default())
    sea.recompute()
    assert _days(sea) == {old: _day(10), touched: _day(25)}

    assert sea.send("POST", f"/rules/{rule_id}:end", sea.organisation.admin).status_code == 200
    sea.recompute()
    assert _days(sea) == {old: None, touched: None}

    sea.put_in_force(sea.default())
    sea.recompute()
    assert _days(sea) == {old: _day(10), touched: _day(25)}


def test_a_rule_of_a_pool_to_which_nobody_belongs_any_more_takes_nobodys_customers(sea: Any) -> None:
    """Elsewhere a list that became empty means everybody."""
    member = sea.hire("leaving")
    pool = sea.create_pool(open_to_all=False, member_ids=[str(member.id)])
    mine, others = sea.held_for(20, owner=member), sea.held_for(20)
    sea.put_in_force(pool["id"])
    sea.recompute()
    assert _days(sea) == {mine[0]: _day(10), others[0]: None}

    sea.leave(member)
    sea.recompute()
    assert set(_days(sea).values()) == {None}


def _zone(sea: Any, _pool: Any) -> None:
    _know_organisation(sea, zone="Pacific/Kiritimati")


def _calendar(sea: Any, _pool: Any) -> None:
    _know_organisation(sea, zone="Asia/Shanghai", calendar=[identity.CalendarDay(day="2026-10-01", working=False)])


def _know_organisation(sea: Any, **values: Any) -> None:
    with sea.opened.database.transaction() as session:
        store.store_organisation(session, identity.Organisation(version=2, name="测试公司", **values))


def _moved_member(sea: Any, _pool: Any) -> None:
    state = sea.organisation.member_state(sea.organisation.sales, version=2)
    state.department_id = str(sea.organisation.south)
    sea.know(state)


def _moved_department(sea: Any, _pool: Any) -> None:
    east, south = sea.organisation.east, sea.organisation.south
    moved = identity.Department(id=str(east), version=2, name="华东销售部", parent_id=str(south))
    with sea.opened.database.transaction() as session:
        store.store_departments(session, [moved])


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (_zone, "zone"),
        (_calendar, "calendar"),
        (_moved_member, "members"),
        (_moved_department, "departments"),
        (lambda sea, pool: sea.change_pool(pool, open_to_all=True), "pools"),
        (lambda sea, pool: sea.change_pool(pool, priority=5), "pools"),
    ],
)
def test_whatever_days_depend_on_computes_them_anew_when_it_changes(
    sea: Any, change: Callable[[Any, Any], None], cause: str
) -> None:
    pool = sea.create_pool(open_to_all=False, department_ids=[str(sea.organisation.east)])["id"]
    sea.put_in_force(pool)
    sea.recompute()
    change(sea, pool)

    sea.recompute()
    assert [one.causes for one in sea.rows(Recompute)][1:] == [[cause]]


def test_a_member_who_changes_has_only_their_own_customers_computed_anew(sea: Any) -> None:
    sea.put_in_force(sea.create_pool(open_to_all=False, department_ids=[str(sea.organisation.south)])["id"])
    mine, others = sea.held_for(20, 3), sea.held_for(20, 2, owner=sea.organisation.colleague)
    sea.recompute()

    sea.hire("newcomer")
    sea.recompute()
    _moved_member(sea, None)
    sea.recompute()

    assert _days(sea) == dict.fromkeys(mine, _day(10)) | dict.fromkeys(others)
    assert [(one.causes, one.examined) for one in sea.rows(Recompute)][1:] == [(["members"], 0), (["members"], 3)]


def test_many_members_who_change_have_all_customers_walked_through(sea: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recomputing, "FEW_MEMBERS", 1)
    sea.put_in_force(sea.default())
    sea.held_for(20, 3)
    sea.recompute()

    sea.hire("one")
    sea.hire("another")
    sea.recompute()

    assert [(one.causes, one.examined) for one in sea.rows(Recompute)][1:] == [(["members"], 3)]


def test_a_member_who_changes_while_days_are_computed_is_taken_up_afterwards(
    sea: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recomputing, "PAGE", 2)
    sea.put_in_force(sea.create_pool(open_to_all=False, department_ids=[str(sea.organisation.south)])["id"])
    ids = sea.held_for(20, 5)
    assert sea.run("apply-rules"), "a page of several"
    _moved_member(sea, None)

    sea.recompute()

    assert _days(sea) == dict.fromkeys(ids, _day(10))
    assert [(one.causes, one.examined) for one in sea.rows(Recompute)][1:] == [(["members"], 5)]


def test_a_member_who_moves_comes_under_the_rule_of_the_new_department(sea: Any) -> None:
    south = sea.create_pool(open_to_all=False, department_ids=[str(sea.organisation.south)])["id"]
    sea.put_in_force(south)
    (id_,) = sea.held_for(20)
    sea.recompute()
    assert _days(sea) == {id_: None}

    _moved_member(sea, south)
    sea.recompute()
    assert _days(sea) == {id_: _day(10)}


def test_changes_while_days_are_computed_are_all_taken_up_by_one_more_recompute(
    sea: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recomputing, "PAGE", 2)
    sea.held_for(20, 5)
    first = sea.put_in_force(sea.default())
    assert sea.run("apply-rules"), "a page of several"
    second = sea.put_in_force(sea.create_pool(priority=1)["id"], {"kind": "no_follow_up", "days": 40})
    sea.hire("somebody")
    sea.run("apply-rules")
    assert _unsettled(sea) == {first, second}

    sea.recompute()
    assert (len(sea.rows(Recompute)), _unsettled(sea)) == (2, set())
    assert set(_days(sea).values()) == {_day(20)}


@pytest.mark.parametrize("pages", range(1, 4))
def test_a_recompute_that_was_killed_after_a_page_goes_on_with_the_next(
    sea: Any, monkeypatch: pytest.MonkeyPatch, pages: int
) -> None:
    monkeypatch.setattr(recomputing, "PAGE", 2)
    ids = sea.held_for(20, 6)
    sea.put_in_force(sea.default())
    for _ in range(pages):
        sea.run("apply-rules")

    def die(*_: Any, **__: Any) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(Recompute, "pass_by", die)
    with pytest.raises(RuntimeError, match="killed"):
        sea.run("apply-rules")
    monkeypatch.undo()
    monkeypatch.setattr(recomputing, "PAGE", 2)
    assert sum(day is not None for day in _days(sea).values()) == 2 * pages, "what was not committed did not happen"

    sea.recompute()
    assert _days(sea) == dict.fromkeys(ids, _day(10))
    changed = [one for one in sea.opened.outbox(pb.AssignmentsChanged) if one.cause == pb.CAUSE_RESCHEDULE]
    told = [change.state.customer_id for one in changed for change in one.changes]
    assert sorted(told) == sorted(ids), "each once"


def test_of_several_workers_each_customer_is_computed_by_one(sea: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recomputing, "PAGE", 2)
    ids = sea.held_for(20, 12)
    sea.put_in_force(sea.default())

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda _: sea.recompute(), range(3)))
    sea.recompute()

    assert _days(sea) == dict.fromkeys(ids, _day(10))
    assert {one.version for one in sea.rows(AssignmentRow)} == {2}
    assert [(one.examined, one.changed) for one in sea.rows(Recompute)] == [(12, 12)]


@given(
    judged=st.none() | st.dates(date(2026, 1, 1), date(2026, 1, 20)),
    current=st.none() | st.dates(date(2026, 1, 1), date(2026, 1, 20)),
    floor=st.booleans(),
)
def test_no_day_that_an_owner_did_not_cause_comes_as_a_surprise(
    judged: date | None, current: date | None, floor: bool
) -> None:
    earliest = date(2026, 1, 10)
    kept = with_warning(judged, current, earliest, floor=floor)

    assert (kept is None) == (judged is None)
    if kept is not None and judged is not None:
        assert kept >= judged, "it never comes sooner than the rule says"
        assert kept in (judged, earliest)
        assert kept == current or kept >= earliest or (not floor and current is not None and kept > current)
        assert judged != current or kept == current, "what does not change stays"


def test_a_page_takes_as_many_statements_for_many_customers_as_for_few(
    sea: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sea.held_for(20, 40)
    sea.put_in_force(sea.default())
    counted = []
    for size in (1, 2, 30):
        monkeypatch.setattr(recomputing, "PAGE", size)
        with sea.counting_statements() as statements:
            sea.run("apply-rules")
        counted.append(len(statements))

    assert counted[1] == counted[2] < counted[0], "the first page began the recompute"
