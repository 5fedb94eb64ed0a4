"""The day on which a customer expires, over PostgreSQL: who is governed by which rule, and what moves the day."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import text, update

from chassis.clock import now
from chassis.days import day_of
from chassis.identifiers import new_id
from crm.customer.v1 import customer_events_pb2 as facts
from crm.identity.v1.identity_events_pb2 import CalendarDay, Organisation
from crm.pool.v1 import pool_events_pb2 as events
from crm.pool.v1 import pool_service_pb2 as pb
from crm_pool.assignments.model import AssignmentRow
from crm_pool.assignments.recording import Act, locked
from crm_pool.assignments.rescheduling import reschedule
from crm_pool.customers.projection import customer_row
from crm_pool.expiry.model import Extension
from crm_pool.placement.commands import Report, keep_up
from crm_pool.pools.model import Pool
from directory import store

ZONE = "Asia/Shanghai"
WEEK = {"kind": "no_follow_up", "days": 7}
LONG_AGO = now() - timedelta(days=400)


def _day(days: int, since: datetime | None = None) -> date:
    return day_of(since or now(), ZONE) + timedelta(days=days)


def _days(sea: Any) -> dict[str, date | None]:
    return {str(one.customer_id): one.expires_on for one in sea.rows(AssignmentRow)}


def _moment(at: datetime) -> Timestamp:
    moment = Timestamp()
    moment.FromDatetime(at)
    return moment


def _claimed(sea: Any, pool: Any = None, member: Any = None) -> str:
    (id_,) = sea.create(pool=pool)
    assert sea.act("claim", member or sea.organisation.sales, [id_]).status_code == 200
    return str(id_)


def _reschedule(sea: Any, *ids: str, floor: bool = False) -> list[Any]:
    with sea.opened.database.transaction() as session:
        held = locked(session, [UUID(id_) for id_ in ids]).values()
        return list(reschedule(session, held, Act(None, now()), floor=floor))


# What gives an owner


@pytest.mark.parametrize("verb", ["claim", "assign", "transfer"])
def test_whoever_gets_a_customer_has_the_days_of_the_rule_however_it_was_neglected_before(sea: Any, verb: str) -> None:
    people = sea.organisation
    sea.put_in_force(sea.default())
    (id_,) = sea.create(owner=people.rival) if verb == "transfer" else sea.create()
    sea.report_again([id_], last_touch_at=_moment(LONG_AGO))
    giver, body = {
        "claim": (people.sales, {}),
        "assign": (people.admin, {"member_ids": [str(people.sales.id)]}),
        "transfer": (people.rival, {"member_id": str(people.sales.id)}),
    }[verb]
    assert sea.act(verb, giver, [id_], **body).status_code == 200
    assert _days(sea) == {id_: _day(30)}


def test_a_customer_created_by_its_owner_has_a_day_and_in_a_pool_none(sea: Any) -> None:
    sea.put_in_force(sea.default())
    (id_,) = sea.create(owner=sea.organisation.sales)
    assert _days(sea) == {id_: _day(30)}
    sea.act("release", sea.organisation.sales, [id_])
    assert _days(sea) == {id_: None}


def test_deleted_customers_have_no_day_and_restored_ones_a_fresh_clock(sea: Any) -> None:
    sea.put_in_force(sea.default())
    created_at = _moment(now() - timedelta(days=20))
    state = sea.state(owner=sea.organisation.sales, created_at=created_at)
    sea.report(facts.CustomerCreated(customers=[state]))
    assert _days(sea) == {state.id: _day(10)}
    state.facts_version, state.deleted = 2, True
    sea.report(facts.CustomerDeleted(customers=[state]))
    assert _days(sea) == {state.id: None}
    state.facts_version, state.deleted = 3, False
    sea.report(facts.CustomerRestored(customers=[state]))
    assert _days(sea) == {state.id: _day(30)}


def test_an_undone_release_gives_the_customer_back_with_a_fresh_clock(sea: Any) -> None:
    sea.put_in_force(sea.default())
    ids = sea.create(2, owner=sea.organisation.sales)
    release_id = sea.act("release", sea.organisation.sales, ids).json["batch_id"]
    sea.put_in_force(sea.default(), WEEK)
    sea.send("POST", f"/releases/{release_id}:undo", sea.organisation.admin)
    sea.finish()
    assert _days(sea) == dict.fromkeys(ids, _day(7))


def test_imported_rows_are_written_with_the_planned_day_and_their_level_then_moves_it(sea: Any, rpc: Any) -> None:
    people, placement_id = sea.organisation, str(new_id())
    sea.put_in_force(sea.default(), {**WEEK, "days_by_level": {"a": 5}})
    state = sea.state(owner=people.sales)
    wanted = pb.NewCustomer(customer_id=state.id, name=state.name, wish=state.wish)
    request = pb.PlanPlacementRequest(placement_id=placement_id, actor_id=str(people.sales.id), customers=[wanted])
    (planned,) = rpc.PlanPlacement(request).placements
    assert planned.assignment.expires_on == _day(7).isoformat()

    # Meanwhile the rule changes: version 1 is what the row was written with, whatever is in force now.
    sea.put_in_force(sea.default(), {**WEEK, "days": 20, "days_by_level": {"a": 5}})
    state.assignment_version, state.level = 1, "a"
    sea.report(facts.CustomerCreated(customers=[state], placement_id=placement_id))
    told = sea.opened.outbox(events.AssignmentsChanged)
    assert [(one.cause, one.changes[0].state.version) for one in told] == [
        (events.CAUSE_IMPORT, 1),
        (events.CAUSE_RESCHEDULE, 2),
    ]
    assert told[0].changes[0].state.expires_on == _day(7).isoformat()
    assert _days(sea) == {state.id: _day(5)}


# Whom a rule governs


def _open(sea: Any, pool_id: Any, **values: Any) -> None:
    """Open the pool to nobody but whom `values` name."""
    nobody = {"open_to_all": False, "member_ids": [], "department_ids": [], "role_ids": [], "admin_ids": []}
    with sea.opened.database.transaction() as session:
        session.execute(update(Pool).where(Pool.id == UUID(str(pool_id))).values({**nobody, **values}))


@pytest.mark.parametrize(
    ("opening", "governed"),
    [
        (lambda _: {"open_to_all": True}, {"admin", "supervisor", "sales", "rival"}),
        (lambda people: {"member_ids": [people.rival.id]}, {"rival"}),
        # With everything below, not the department alone.
        (lambda people: {"department_ids": [people.company]}, {"admin", "supervisor", "sales", "rival"}),
        (lambda people: {"department_ids": [people.east]}, {"supervisor", "sales"}),
        (lambda people: {"role_ids": [people.role_ids["supervisor"]]}, {"supervisor"}),
        # Nobody is nobody, not everybody; an administrator does not belong to the pool by that, nor does who looks at it.
        (lambda _: {}, set()),
        (lambda people: {"admin_ids": [people.admin.id, people.sales.id]}, set()),
    ],
)
def test_a_rule_governs_those_who_belong_to_its_pool(
    sea: Any, opening: Callable[[Any], dict[str, Any]], governed: set[str]
) -> None:
    people = sea.organisation
    ids = {key: sea.create(owner=people.members[key])[0] for key in ("admin", "supervisor", "sales", "rival")}
    sea.put_in_force(sea.default())
    _open(sea, sea.default(), **opening(people))

    _reschedule(sea, *ids.values())

    assert {key for key, id_ in ids.items() if _days(sea)[id_]} == governed
    for member in (people.members[key] for key in ids):
        sea.send("GET", f"/assignments/{ids['sales']}", member)
        sea.send("GET", "/pools", member)
    assert not _reschedule(sea, *ids.values())


def test_of_several_pools_the_home_pool_counts_else_the_highest_priority_else_the_oldest(sea: Any) -> None:
    people = sea.organisation
    days = {"oldest": 10, "younger": 11, "urgent": 12, "home": 13, "foreign": 1}
    pools = {name: sea.create_pool(name=name)["id"] for name in days}
    for name, pool_id in pools.items():
        sea.put_in_force(pool_id, {"kind": "no_follow_up", "days": days[name]})
    (born,) = sea.create(owner=people.sales)
    claimed, foreign = _claimed(sea, pools["home"]), _claimed(sea, pools["foreign"])
    # Its owner does not belong to the pool it came from, so another one counts.
    _open(sea, pools["foreign"], member_ids=[people.rival.id])
    _reschedule(sea, foreign)
    assert _days(sea) == {born: _day(10), claimed: _day(13), foreign: _day(10)}

    _open(sea, pools["urgent"], open_to_all=True, priority=5)
    _reschedule(sea, born, claimed)
    assert (_days(sea)[born], _days(sea)[claimed]) == (_day(12), _day(13))


def test_a_deleted_pool_has_no_rule(sea: Any) -> None:
    pool = sea.create_pool()
    sea.put_in_force(pool["id"], WEEK)
    id_ = _claimed(sea, pool["id"])
    sea.send("DELETE", f"/pools/{pool['id']}", sea.organisation.admin, If_Match='"1"')
    _reschedule(sea, id_)
    assert _days(sea) == {id_: None}


def test_what_a_leaver_owns_does_not_expire(sea: Any) -> None:
    sea.put_in_force(sea.default(), WEEK)
    id_ = _claimed(sea)
    sea.leave(sea.organisation.sales)
    _reschedule(sea, id_)
    assert _days(sea) == {id_: None}


# What moves the day


def test_a_touch_moves_the_day_that_everybody_is_shown_and_is_told_without_history(sea: Any) -> None:
    sea.put_in_force(sea.default(), WEEK)
    id_ = _claimed(sea)
    touched_at = now() + timedelta(days=2)
    sea.report_again([id_], last_touch_at=_moment(touched_at))

    shown = sea.send("GET", f"/assignments/{id_}", sea.organisation.sales).json
    assert (shown["expires_on"], shown["days_left"]) == (_day(9).isoformat(), 9)
    assert [entry.version for entry in sea.history(id_)] == [1, 2]
    told = sea.opened.outbox(events.AssignmentsChanged)[-1]
    (change,) = told.changes
    assert (told.cause, change.state.version, change.previous) == (events.CAUSE_RESCHEDULE, 3, change.state.place)
    assert change.state.expires_on == _day(9).isoformat()


def test_without_a_touch_a_customer_is_not_overdue_at_once(sea: Any) -> None:
    sea.put_in_force(sea.default(), WEEK)
    id_ = _claimed(sea)
    sea.report_again([id_], name="改名贸易")
    assert _days(sea) == {id_: _day(7)}
    assert len(sea.opened.outbox(events.AssignmentsChanged)) == 2


def test_a_late_report_of_an_older_touch_changes_nothing(sea: Any) -> None:
    sea.put_in_force(sea.default(), WEEK)
    id_ = _claimed(sea)
    sea.report_again([id_], version=3, last_touch_at=_moment(now() + timedelta(days=3)))
    sea.report_again([id_], version=2, last_touch_at=_moment(now() + timedelta(days=1)))
    assert _days(sea) == {id_: _day(10)}


@pytest.mark.parametrize(
    ("reported", "days"),
    [
        ({"level": "a"}, 3),
        ({"level": "unlisted"}, None),
        ({"level": "b", "locked": True}, None),
        ({"level": "b", "wecom_friend": True}, None),
        ({"level": "b", "won": True}, None),
        ({"level": "b", "open_opportunities": 1}, None),
        ({"level": "b"}, 30),
    ],
)
def test_facts_move_the_day_or_take_it_away(sea: Any, reported: dict[str, Any], days: int | None) -> None:
    sea.put_in_force(sea.default(), {"kind": "no_follow_up", "days": None, "days_by_level": {"a": 3, "b": 30}})
    id_ = _claimed(sea)
    assert _days(sea) == {id_: None}
    sea.report_again([id_], **reported)
    assert _days(sea) == {id_: days and _day(days)}


def test_a_granted_extension_counts_for_this_owner_and_this_time_of_holding(sea: Any) -> None:
    people = sea.organisation
    sea.put_in_force(sea.default(), WEEK)
    id_ = _claimed(sea)
    (held,) = sea.rows(AssignmentRow)
    with sea.opened.database.transaction() as session:
        for days, state in ((4, "granted"), (50, "requested"), (60, "refused")):
            asked = {"customer_id": held.customer_id, "owner_id": held.owner_id, "held_since": held.held_since}
            rest = {"id": new_id(), "version": 1, "reason": "续签", "requested_at": now()}
            session.add(Extension(**asked, **rest, days=days, state=state))
    _reschedule(sea, id_)
    assert _days(sea) == {id_: _day(11)}
    sea.act("transfer", people.sales, [id_], member_id=str(people.rival.id))
    sea.act("transfer", people.rival, [id_], member_id=str(people.sales.id))
    assert _days(sea) == {id_: _day(7)}


def test_days_are_those_of_the_organisations_zone_and_calendar(sea: Any) -> None:
    today = day_of(now(), "Pacific/Kiritimati")
    calendar = [
        CalendarDay(day=(today + timedelta(days=n)).isoformat(), working=working)
        for n, working in ((1, False), (2, True), (3, False), (4, True))
    ]
    organisation = Organisation(version=2, name="测试公司", zone="Pacific/Kiritimati", calendar=calendar)
    with sea.opened.database.transaction() as session:
        store.store_organisation(session, organisation)
    sea.put_in_force(sea.default(), {**WEEK, "days": 2}, working_days=True)
    id_ = _claimed(sea)
    assert _days(sea) == {id_: today + timedelta(days=4)}
    assert sea.send("GET", f"/assignments/{id_}", sea.organisation.sales).json["days_left"] == 4


# What the owner did not cause


def _neglected(sea: Any, days: int) -> str:
    state = sea.state(owner=sea.organisation.sales, created_at=_moment(now() - timedelta(days=days)))
    sea.report(facts.CustomerCreated(customers=[state]))
    return str(state.id)


def test_a_change_that_the_owner_did_not_cause_leaves_the_warning_days(sea: Any) -> None:
    overdue, near, far = _neglected(sea, 20), _neglected(sea, 6), _neglected(sea, 0)
    sea.put_in_force(sea.default(), WEEK)
    assert {change.assignment.expires_on for change in _reschedule(sea, overdue, near, far, floor=True)}
    assert _days(sea) == {overdue: _day(3), near: _day(3), far: _day(7)}
    # It stays so, whoever reports what.
    sea.report_again([overdue], name="改名贸易")
    assert not _reschedule(sea, overdue, near, far, floor=True)
    # A touch gives more, and the next owner's clock is not held back by it.
    sea.report_again([near], version=3, last_touch_at=_moment(now()))
    sea.act("transfer", sea.organisation.sales, [overdue], member_id=str(sea.organisation.rival.id))
    assert _days(sea) == {overdue: _day(7), near: _day(7), far: _day(7)}
    assert {one.not_before for one in sea.rows(AssignmentRow) if str(one.customer_id) == overdue} == {None}


def test_a_day_that_appears_or_comes_nearer_warns_the_owner_and_a_later_one_is_as_it_is(sea: Any) -> None:
    sea.put_in_force(sea.default(), {**WEEK, "days_by_level": {"a": 21}})
    locked, touched = _neglected(sea, 20), _neglected(sea, 20)
    assert _days(sea) == {locked: _day(-13), touched: _day(-13)}
    sea.report_again([locked], locked=True)
    sea.report_again([locked], version=3)
    sea.report_again([touched], level="a")
    assert _days(sea) == {locked: _day(3), touched: _day(1)}
    sea.report_again([touched], version=3)
    assert _days(sea)[touched] == _day(3)


# What it costs, and what happens at once


def test_without_a_rule_a_claim_needs_one_more_statement_and_with_rules_as_many_for_many_as_for_few(sea: Any) -> None:
    sea.create(owner=sea.organisation.sales)

    def statements(count: int) -> tuple[int, int]:
        ids = sea.create(count)
        with sea.counting_statements() as sent:
            assert sea.act("claim", sea.organisation.sales, ids).status_code == 200
        return len(sent), sum("recycle_rules" in one for one in sent)

    assert statements(2)[1] == 1
    without = statements(2)[0]
    sea.put_in_force(sea.default(), WEEK, working_days=True)
    few, many = statements(2), statements(60)
    assert (few, few[0]) == (many, without + 4)


def test_facts_of_many_cost_as_many_statements_as_of_few_and_one_event(sea: Any) -> None:
    sea.put_in_force(sea.default(), WEEK)
    few, many = sea.create(2, owner=sea.organisation.sales), sea.create(80, owner=sea.organisation.sales)
    pool, counts = sea.default(), []
    for ids in (few, many):
        with sea.counting_statements() as sent:
            sea.report_again(ids, pool=pool, last_touch_at=_moment(now() + timedelta(days=1)))
        counts.append(len(sent))
    assert counts[0] == counts[1]
    assert len(sea.opened.outbox(events.AssignmentsChanged)[-1].changes) == 80


def _somebody_waits(sea: Any) -> bool:
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with sea.opened.database.reading() as session:
        return bool(session.scalar(waiting))


def test_a_claim_while_facts_arrive_counts_them(sea: Any) -> None:
    sea.put_in_force(sea.default(), {**WEEK, "days_by_level": {"a": 21}})
    (id_,) = sea.create()
    row = customer_row(sea.state(id=id_, facts_version=2, level="a"))
    with ThreadPoolExecutor(1) as threads:
        with sea.opened.database.transaction() as session:
            keep_up(session, [Report(row, Act(None, now()), None)])
            claim = threads.submit(sea.act, "claim", sea.organisation.sales, [id_])
            until = time.monotonic() + 30
            while not (claim.done() or _somebody_waits(sea)) and time.monotonic() < until:
                time.sleep(0.02)
        assert claim.result().status_code == 200
    assert _days(sea) == {id_: _day(21)}


def test_versions_of_the_day_alone_are_not_among_what_happened(sea: Any, rpc: Any) -> None:
    sea.put_in_force(sea.default(), WEEK)
    id_ = _claimed(sea)
    sea.report_again([id_], last_touch_at=_moment(now() + timedelta(days=1)))
    sea.act("release", sea.organisation.sales, [id_])
    known = pb.KnownAssignment(customer_id=id_, version=1)
    changes = rpc.ListAssignmentChanges(pb.ListAssignmentChangesRequest(known=[known])).changes
    assert [(one.cause, one.change.state.version) for one in changes] == [
        (events.CAUSE_CLAIM, 2),
        (events.CAUSE_RELEASE, 4),
    ]
