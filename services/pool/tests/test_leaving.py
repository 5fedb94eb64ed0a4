"""Leavers: listed, told of, handed over after seven days, whatever comes twice, late or in between (decision 0015)."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from chassis import clock
from chassis.audit import audit_of
from chassis.days import day_of
from chassis.errors import Unavailable
from crm.customer.v1 import customer_events_pb2 as facts
from crm.identity.v1.identity_events_pb2 import MemberChanged, MemberDeactivated
from crm.pool.v1 import pool_events_pb2 as events
from crm_pool.leaving.events import LEAVERS
from crm_pool.leaving.model import Leaver

ZONE = "Asia/Shanghai"


def _day(days: int) -> str:
    return (day_of(clock.now(), ZONE) + timedelta(days=days)).isoformat()


def _listed(sea: Any, member: Any) -> list[tuple[str, int, str]]:
    reply = sea.send("GET", "/assignments/leavers", member)
    assert reply.json["total"] == len(reply.json["items"])
    return [(one["member"]["name"], one["customers"], one["hand_over_on"]) for one in reply.json["items"]]


def _finished(sea: Any) -> list[Any]:
    return [one for one in sea.opened.outbox(events.AssignmentBatchFinished) if one.cause == events.CAUSE_HANDOVER]


def test_a_leaver_is_listed_for_who_sees_the_department_and_the_manager_is_to_be_told(sea: Any) -> None:
    sales, rival = sea.organisation.sales, sea.organisation.rival
    ids = sea.create(3, owner=sales)
    sea.create(owner=rival)

    sea.leave(sales)
    sea.leave(rival)
    sea.leave(sea.organisation.colleague)

    assert _listed(sea, sea.organisation.supervisor) == [("张三", 3, _day(7))]
    assert sorted(_listed(sea, sea.organisation.operations)) == [("张三", 3, _day(7)), ("王五", 1, _day(7))]
    assert sea.send("GET", f"/assignments/leavers/{rival.id}", sea.organisation.supervisor).status_code == 404
    seen = sea.send("GET", f"/assignments/leavers/{sales.id}", sea.organisation.supervisor).json
    assert (seen["member"]["name"], seen["department_id"]) == ("张三", str(sea.organisation.east))
    told = [(one.member_id, one.customers, one.hands_over_on) for one in sea.opened.outbox(events.OwnerLeft)]
    assert told == [(str(sales.id), 3, _day(7)), (str(rival.id), 1, _day(7))]
    assert set(sea.owners_of(ids)) == {sales.id}


def test_a_deactivation_that_comes_twice_or_late_changes_nothing(sea: Any) -> None:
    sales, colleague = sea.organisation.sales, sea.organisation.colleague
    sea.create(owner=sales)
    sea.create(owner=colleague)
    pool = sea.create_pool(open_to_all=False, member_ids=[str(colleague.id)])
    sea.leave(sales, days_ago=3)
    sea.leave(sales)
    sea.know(sea.organisation.member_state(colleague, version=7))

    late = sea.organisation.member_state(colleague, version=6)
    sea.report(MemberDeactivated(members=[late]), subscription=LEAVERS)
    sea.hand_over()

    assert _listed(sea, sea.organisation.supervisor) == [("张三", 1, _day(4))]
    assert len(sea.opened.outbox(events.OwnerLeft)) == 1
    assert set(sea.owners().values()) == {sales.id, colleague.id}
    assert sea.send("GET", f"/pools/{pool['id']}", sea.organisation.admin).json["member_ids"] == [str(colleague.id)]


def test_after_seven_days_all_goes_to_the_departments_to_be_assigned_pool_as_one_batch(sea: Any, customer: Any) -> None:
    sales = sea.organisation.sales
    sea.create_pool(kind="to_be_assigned", open_to_all=False, department_ids=[str(sea.organisation.company)])
    waiting = sea.create_pool(kind="to_be_assigned", open_to_all=False, department_ids=[str(sea.organisation.east)])
    ids = sea.create(501, owner=sales)
    others = sea.create(2, owner=sea.organisation.colleague)
    sea.set_holding_cap(1)
    sea.leave(sales, days_ago=6)
    sea.hand_over()
    before = set(sea.owners().values())
    with sea.opened.database.transaction() as session:
        session.execute(text("UPDATE leavers SET hand_over_on = hand_over_on - 1"))

    sea.hand_over()
    again = sea.run("hand-over")

    assert before == {sales.id, sea.organisation.colleague.id}
    assert (again, set(sea.owners_of(ids))) == (False, {None})
    assert set(sea.owners_of(others)) == {sea.organisation.colleague.id}
    (finished,) = _finished(sea)
    assert (finished.succeeded, finished.skipped, finished.actor_id) == (501, 0, "")
    assert [(one.member_id, one.customers) for one in finished.former_owners] == [(str(sales.id), 501)]
    pages = [one for one in sea.opened.outbox(events.AssignmentsChanged) if one.cause == events.CAUSE_HANDOVER]
    assert [(len(page.changes), page.batch_id) for page in pages] == [(500, finished.batch_id), (1, finished.batch_id)]
    assert {change.state.place.pool_id for page in pages for change in page.changes} == {waiting["id"]}
    assert sorted(state.customer_id for state in customer.applied) == sorted(ids)
    assert _listed(sea, sea.organisation.supervisor) == []


def test_a_hand_over_needs_as_many_statements_for_many_customers_as_for_few(sea: Any) -> None:
    counts = []
    for size, leaver in ((2, sea.organisation.sales), (300, sea.organisation.colleague)):
        sea.create(size, owner=leaver)
        sea.leave(leaver, days_ago=8)
        with sea.counting_statements() as statements:
            assert sea.run("hand-over")
        counts.append(len(statements))
        sea.hand_over()

    assert counts[0] == counts[1]


def test_a_worker_that_dies_half_way_is_taken_over_and_nothing_moves_twice(sea: Any) -> None:
    sales = sea.organisation.sales
    ids = sea.create(501, owner=sales)
    sea.leave(sales, days_ago=8)
    sea.run("hand-over")
    with sea.opened.database.transaction() as session:
        session.execute(
            text(
                "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE 'killed'; END $$;"
                "CREATE TRIGGER fail AFTER INSERT ON assignment_history FOR EACH STATEMENT EXECUTE FUNCTION fail()"
            )
        )
    with pytest.raises(Exception, match="killed"):
        sea.run("hand-over")
    with sea.opened.database.transaction() as session:
        session.execute(text("DROP TRIGGER fail ON assignment_history"))

    sea.hand_over()

    assert [len(sea.history(one)) for one in ids] == [2] * 501
    assert [one.succeeded for one in _finished(sea)] == [501]


def test_a_leaver_who_cannot_be_handed_over_holds_up_nobody_else(sea: Any) -> None:
    stuck, others = sea.hire("卡住"), [sea.hire(f"离职{number}") for number in range(3)]
    for leaver in (stuck, *others):
        sea.create(2, owner=leaver)
    sea.leave(stuck, *others, days_ago=8)
    refusal = f"CHECK (from_owner_id IS DISTINCT FROM '{stuck.id}')"
    with sea.opened.database.transaction() as session:
        session.execute(text(f"ALTER TABLE assignment_history ADD CONSTRAINT stuck {refusal}"))

    while set(sea.owners().values()) != {None, stuck.id}:
        with suppress(IntegrityError):
            sea.run("hand-over")

    assert list(sea.owners().values()).count(None) == 6


def test_many_workers_hand_over_each_leaver_once(sea: Any) -> None:
    leavers = [sea.hire(f"离职{number}") for number in range(4)]
    for leaver in leavers:
        sea.create(20, owner=leaver)
    sea.leave(*leavers, days_ago=8)
    barrier = threading.Barrier(4)

    def work(_number: int) -> None:
        barrier.wait()
        sea.hand_over()

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(work, range(4)))
    sea.hand_over()

    assert set(sea.owners().values()) == {None}
    assert [one.succeeded for one in _finished(sea)] == [20] * 4
    assert sum(len(sea.history(one)) for one in sea.owners()) == 160


def test_whoever_comes_back_in_time_keeps_their_customers(sea: Any) -> None:
    sales = sea.organisation.sales
    (one,) = sea.create(owner=sales)
    sea.leave(sales, days_ago=8)

    sea.come_back(sales)
    sea.hand_over()

    assert sea.owners()[one] == sales.id
    assert _listed(sea, sea.organisation.supervisor) == []
    assert _finished(sea) == []


def test_whoever_comes_back_unnoticed_keeps_their_customers(sea: Any) -> None:
    """The directory is told first, the list of leavers a moment later."""
    sales = sea.organisation.sales
    (one,) = sea.create(owner=sales)
    sea.leave(sales, days_ago=8)

    sea.know(sea.organisation.member_state(sales, version=100))
    sea.hand_over()

    assert sea.owners()[one] == sales.id


def test_whoever_comes_back_half_way_keeps_the_rest_and_the_first_half_is_a_release(sea: Any) -> None:
    sales = sea.organisation.sales
    sea.create(501, owner=sales)
    sea.leave(sales, days_ago=8)
    sea.run("hand-over")

    sea.come_back(sales)
    sea.hand_over()

    assert [one.succeeded for one in _finished(sea)] == [500]
    assert list(sea.owners().values()).count(sales.id) == 1
    (release,) = sea.send("GET", "/releases", sea.organisation.supervisor).json["items"]
    assert (release["customers"], release["id"]) == (500, _finished(sea)[0].batch_id)


def test_whoever_leaves_again_has_seven_new_days(sea: Any) -> None:
    sales = sea.organisation.sales
    sea.create(owner=sales)
    sea.leave(sales, days_ago=30, version=2)
    sea.come_back(sales, version=3)

    sea.leave(sales, version=4)
    sea.hand_over()

    assert _listed(sea, sea.organisation.supervisor) == [("张三", 1, _day(7))]


def test_what_is_given_to_a_leaver_on_a_stale_directory_is_handed_over_too(sea: Any) -> None:
    sales, stale = sea.organisation.sales, sea.organisation.member_state(sea.organisation.sales, version=100)
    sea.leave(sales, days_ago=8)
    sea.know(stale)
    (claimed,), (assigned,) = sea.create(), sea.create()
    sea.act("claim", sales, [claimed])
    sea.act("assign", sea.organisation.supervisor, [assigned], member_ids=[str(sales.id)])
    stale.version, stale.active = 101, False
    sea.know(stale)

    sea.hand_over()

    assert sea.owners() == {claimed: None, assigned: None}
    assert [one.succeeded for one in _finished(sea)] == [2]


def test_whoever_owns_something_after_the_hand_over_or_left_unnoticed_is_listed_and_told_of_once(sea: Any) -> None:
    sales, colleague = sea.organisation.sales, sea.organisation.colleague
    sea.leave(sales, days_ago=8)
    sea.hand_over()
    sea.create(2, owner=colleague)
    (late,) = sea.create(owner=colleague)
    with sea.opened.database.transaction() as session:
        session.execute(
            text("UPDATE assignments SET owner_id = :owner WHERE customer_id = :id"), {"owner": sales.id, "id": late}
        )
    sea.dismiss(colleague)

    for _ in range(2):
        sea.run("list-leavers")

    assert sorted(_listed(sea, sea.organisation.supervisor)) == [("张三", 1, _day(7)), ("李四", 2, _day(7))]
    assert sorted(one.customers for one in sea.opened.outbox(events.OwnerLeft)) == [1, 2]
    assert sorted(row.as_of for row in sea.rows(Leaver)) == [99, 99]


def test_a_deleted_customer_stays_where_it_is_and_finds_another_place_when_restored(sea: Any) -> None:
    sales = sea.organisation.sales
    state = sea.state(owner=sales)
    sea.report(facts.CustomerCreated(customers=[state], actor_id=str(sales.id)))
    state.facts_version, state.deleted = 2, True
    sea.report(facts.CustomerDeleted(customers=[state]))
    sea.leave(sales, days_ago=8)

    sea.hand_over()
    kept = sea.owners()[state.id]
    state.facts_version, state.deleted = 3, False
    sea.report(facts.CustomerRestored(customers=[state]))

    assert (kept, sea.owners()[state.id]) == (sales.id, None)


def test_a_leavers_customers_are_assigned_and_transferred_by_the_usual_verbs(sea: Any) -> None:
    sales, supervisor, colleague = sea.organisation.sales, sea.organisation.supervisor, sea.organisation.colleague
    first, second, third = sea.create(3, owner=sales)
    sea.leave(sales)

    assigned = sea.act("assign", supervisor, [first], member_ids=[str(colleague.id)])
    transferred = sea.act("transfer", supervisor, [second], member_id=str(colleague.id))

    assert (assigned.status_code, transferred.status_code) == (200, 200)
    assert _listed(sea, supervisor) == [("张三", 1, _day(7))]
    assert sea.owners() == {first: colleague.id, second: colleague.id, third: sales.id}


def test_who_sees_the_department_hands_over_at_once_and_is_named_for_it(sea: Any) -> None:
    sales, supervisor = sea.organisation.sales, sea.organisation.supervisor
    ids = sea.create(2, owner=sales)
    sea.leave(sales)
    path = f"/assignments/leavers/{sales.id}:hand-over"
    foreign = sea.send("POST", path, sea.organisation.rival_supervisor)

    replies = [sea.send("POST", path, supervisor, Idempotency_Key=key) for key in ("once", "once", "twice")]
    sea.hand_over()
    over = sea.send("POST", path, supervisor)

    assert [reply.status_code for reply in replies] == [200] * 3
    assert {(reply.json["hand_over_on"], reply.json["customers"]) for reply in replies} == {(_day(0), 2)}
    assert [(one.status_code, one.json["code"]) for one in (foreign, over)] == [(404, "not_found")] * 2
    assert set(sea.owners_of(ids)) == {None}
    assert _finished(sea)[0].actor_id == str(supervisor.id)
    with sea.opened.database.reading() as session:
        (entry,) = audit_of(session, "member", sales.id)
    assert (entry.action, entry.actor_id) == ("leaver.handed_over_now", supervisor.id)
    assert (entry.before, entry.after) == ({"hand_over_on": _day(7)}, {"hand_over_on": _day(0)})


def test_a_member_who_only_changes_is_no_leaver(sea: Any) -> None:
    sea.report(
        MemberChanged(members=[sea.organisation.member_state(sea.organisation.sales, version=2)]), subscription=LEAVERS
    )

    assert sea.rows(Leaver) == []


def test_wecom_friends_stay_with_the_leaver_and_the_others_go(sea: Any) -> None:
    sales, supervisor = sea.organisation.sales, sea.organisation.supervisor
    friends, others = sea.create(2, owner=sales), sea.create(3, owner=sales)
    sea.report_again(friends, wecom_friend=True)
    sea.leave(sales)
    before = sea.send("GET", f"/assignments/leavers/{sales.id}", supervisor).json

    sea.send("POST", f"/assignments/leavers/{sales.id}:hand-over", supervisor)
    sea.hand_over()
    for _ in range(2):
        sea.run("list-leavers")

    assert (before["customers"], before["wecom_friends"]) == (5, 2)
    assert sea.owners() == dict.fromkeys(friends, sales.id) | dict.fromkeys(others)
    (finished,) = _finished(sea)
    assert (finished.succeeded, finished.skipped, finished.actor_id) == (3, 2, str(supervisor.id))
    (release,) = sea.send("GET", "/releases", supervisor).json["items"]
    assert (release["customers"], release["skipped"]) == (3, 2)
    assert _listed(sea, supervisor) == []
    assert len(sea.opened.outbox(events.OwnerLeft)) == 1


def test_a_leaver_with_nothing_but_wecom_friends_is_through_without_a_release(sea: Any) -> None:
    sales, supervisor, helper = sea.organisation.sales, sea.organisation.supervisor, sea.organisation.colleague
    given, kept = sea.create(2, owner=sales)
    sea.report_again([given, kept], wecom_friend=True, collaborator_ids=[str(helper.id)])
    sea.leave(sales, days_ago=8)
    listed = _listed(sea, supervisor)

    sea.hand_over()
    elsewhere = sea.act("transfer", supervisor, [given], member_id=str(supervisor.id))
    to_helper = sea.act("transfer", supervisor, [given], member_id=str(helper.id))

    assert (listed, _listed(sea, supervisor), _finished(sea)) == ([("张三", 2, _day(-1))], [], [])
    assert (elsewhere.json["code"], to_helper.status_code) == ("wecom_friend_only_collaborators", 200)
    assert sea.owners() == {given: helper.id, kept: sales.id}


def test_when_the_mark_is_taken_back_the_leaver_is_listed_again(sea: Any) -> None:
    sales, supervisor = sea.organisation.sales, sea.organisation.supervisor
    ids = sea.create(2, owner=sales)
    sea.report_again(ids, wecom_friend=True)
    sea.leave(sales, days_ago=8)
    sea.hand_over()
    sea.report_again(ids[:1], version=3)

    sea.run("list-leavers")

    (listed,) = sea.send("GET", "/assignments/leavers", supervisor).json["items"]
    assert (listed["customers"], listed["wecom_friends"], listed["hand_over_on"]) == (2, 1, _day(7))


def test_facts_are_confirmed_before_a_hand_over(sea: Any, customer: Any) -> None:
    sales = sea.organisation.sales
    friend, other = sea.create(2, owner=sales)
    customer.states = [sea.state(id=friend, facts_version=2, wecom_friend=True)]
    sea.leave(sales, days_ago=8)

    sea.hand_over()

    assert sea.owners() == {friend: sales.id, other: None}
    assert [(one.succeeded, one.skipped) for one in _finished(sea)] == [(1, 1)]


def test_while_customer_is_away_a_hand_over_waits(sea: Any, customer: Any) -> None:
    sales = sea.organisation.sales
    ids = sea.create(2, owner=sales)
    sea.leave(sales, days_ago=8)
    customer.away = True

    with pytest.raises(Unavailable):
        sea.run("hand-over")
    meanwhile = set(sea.owners().values())
    customer.away = False
    sea.hand_over()

    assert (meanwhile, set(sea.owners_of(ids))) == ({sales.id}, {None})
    assert {told.actor_id for told in customer.told} == {""}
