"""Locked customers, WeCom friends and collaborators: who sees and takes what (decision 0021; C-27 to C-29, H-07, H-19)."""

from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from crm.pool.v1 import pool_events_pb2 as events
from crm_pool.assignments.records import Release
from crm_pool.customers.model import Customer
from crm_pool.service import SERVICE


def _codes(reply: Any) -> list[Any]:
    return [row["code"] for row in reply.json["results"]]


def _refused(reply: Any) -> tuple[int, str]:
    return reply.status_code, reply.json["code"]


def _sees(sea: Any, member: Any, customer_id: str) -> set[int]:
    paths = (f"/assignments/{customer_id}", f"/assignments/{customer_id}/history")
    return {sea.send("GET", path, member).status_code for path in paths}


def test_a_locked_customer_exists_for_its_owner_alone(sea: Any) -> None:
    sales, supervisor, admin = sea.organisation.sales, sea.organisation.supervisor, sea.organisation.admin
    helper = sea.organisation.rival
    locked, other = sea.create(2, owner=sales)
    sea.report_again([locked], locked=True, collaborator_ids=[str(helper.id)])

    for member in (supervisor, admin, helper):
        assert _sees(sea, member, locked) == {404}
    taken = [
        sea.act("claim", admin, [locked]),
        sea.act("assign", admin, [locked], member_ids=[str(admin.id)]),
        sea.act("transfer", supervisor, [locked], member_id=str(supervisor.id)),
        sea.act("release", supervisor, [locked]),
        sea.act("move", admin, [locked], pool_id=str(sea.default())),
    ]
    both = sea.act("release", supervisor, [locked, other])

    assert [_refused(reply) for reply in taken] == [(404, "not_found")] * 5
    assert _codes(both) == ["not_found", None]
    assert both.json["results"][0]["owner"] is None
    assert (_sees(sea, sales, locked), sea.owners()[locked]) == ({200}, sales.id)


def test_its_owner_transfers_or_releases_a_locked_customer(sea: Any) -> None:
    sales, colleague = sea.organisation.sales, sea.organisation.colleague
    given, released = sea.create(2, owner=sales)
    sea.report_again([given, released], locked=True)

    replies = [
        sea.act("transfer", sales, [given], member_id=str(colleague.id)),
        sea.act("release", sales, [released]),
    ]

    assert [reply.status_code for reply in replies] == [200, 200]
    assert sea.owners() == {given: colleague.id, released: None}
    assert (_sees(sea, sales, given), _sees(sea, colleague, given)) == ({404}, {200})
    assert _sees(sea, sea.organisation.rival, released) == {200}


def test_a_claimer_is_not_told_who_keeps_a_locked_customer(sea: Any) -> None:
    sales, rival = sea.organisation.sales, sea.organisation.rival
    (one,) = sea.create()
    sea.act("claim", sales, [one])
    before = sea.act("claim", rival, [one])
    sea.report_again([one], locked=True)

    after = sea.act("claim", rival, [one])

    assert (_refused(before), before.json["owner"]["name"]) == ((409, "already_owned"), "张三")
    assert (_refused(after), "owner" in after.json) == ((404, "not_found"), False)


def test_a_lock_does_not_outlast_its_owners_leaving(sea: Any) -> None:
    sales, supervisor = sea.organisation.sales, sea.organisation.supervisor
    given, handed_over = sea.create(2, owner=sales)
    sea.report_again([given, handed_over], locked=True)
    sea.leave(sales, days_ago=8)

    seen = _sees(sea, supervisor, given)
    reply = sea.act("assign", supervisor, [given], member_ids=[str(supervisor.id)])
    sea.hand_over()

    assert (seen, reply.status_code) == ({200}, 200)
    assert sea.owners() == {given: supervisor.id, handed_over: None}


def test_a_wecom_friend_is_not_released_and_in_a_batch_it_is_skipped_with_the_reason(sea: Any) -> None:
    sales = sea.organisation.sales
    friend, *others = sea.create(3, owner=sales)
    sea.report_again([friend], wecom_friend=True)

    single = sea.act("release", sales, [friend])
    several = sea.act("release", sales, [friend, *others])

    assert (_refused(single), single.json["detail"]) == (
        (409, "wecom_friend_protected"),
        "企微好友客户禁止删除或丢公海",
    )
    assert _codes(several) == ["wecom_friend_protected", None, None]
    assert several.json["results"][0]["message"] == "企微好友客户禁止删除或丢公海"
    assert sea.owners() == {friend: sales.id} | dict.fromkeys(others)
    assert [(one.customers, one.skipped) for one in sea.rows(Release)] == [(2, 1)]


def test_in_a_pool_a_wecom_friend_is_moved_claimed_and_assigned_like_others(sea: Any) -> None:
    sales, supervisor, pool = sea.organisation.sales, sea.organisation.supervisor, sea.create_pool()
    moved, claimed, assigned = sea.create(3)
    sea.report_again([moved, claimed, assigned], wecom_friend=True)

    replies = [
        sea.act("move", supervisor, [moved], pool_id=pool["id"]),
        sea.act("claim", sales, [claimed]),
        sea.act("assign", supervisor, [assigned], member_ids=[str(sales.id)]),
    ]
    again = sea.act("release", supervisor, [moved])

    assert [reply.status_code for reply in replies] == [200] * 3
    assert _refused(again) == (409, "already_in_pool")


def test_an_owned_wecom_friend_goes_to_its_collaborators_alone(sea: Any) -> None:
    sales, supervisor = sea.organisation.sales, sea.organisation.supervisor
    colleague, stranger = sea.organisation.colleague, sea.hire("赵六")
    transferred, assigned = sea.create(2, owner=sales)
    sea.report_again([transferred, assigned], wecom_friend=True, collaborator_ids=[str(colleague.id)])

    refused = [
        sea.act("transfer", sales, [transferred], member_id=str(stranger.id)),
        sea.act("assign", supervisor, [assigned], member_ids=[str(stranger.id), str(supervisor.id)]),
        sea.act("transfer", sales, [transferred], member_id=str(sales.id)),
    ]
    done = [
        sea.act("transfer", sales, [transferred], member_id=str(colleague.id)),
        sea.act("assign", supervisor, [assigned], member_ids=[str(stranger.id), str(colleague.id)]),
    ]

    assert [_refused(reply) for reply in refused] == [
        (409, "wecom_friend_only_collaborators"),
        (409, "wecom_friend_only_collaborators"),
        (409, "same_owner"),
    ]
    assert refused[0].json["detail"] == "只能转移给该客户的跟进人或协助人"
    assert [reply.status_code for reply in done] == [200, 200]
    assert set(sea.owners().values()) == {colleague.id}


def test_a_turn_gives_wecom_friends_to_whoever_may_have_them_and_stays_fair(sea: Any) -> None:
    supervisor, sales = sea.organisation.supervisor, sea.organisation.sales
    first, second, third = (sea.hire(name) for name in ("赵六", "孙七", "周八"))
    ids = [one for pair in zip(sea.create(4, owner=sales), sea.create(4, owner=sales), strict=True) for one in pair]
    unknown = sea.create(owner=sales)
    sea.report_again(ids[::2], wecom_friend=True, collaborator_ids=[str(second.id)])
    sea.report_again(unknown, wecom_friend=True)

    reply = sea.act(
        "assign", supervisor, ids + unknown, member_ids=[str(member.id) for member in (first, second, third)]
    )

    owners = sea.owners()
    assert [owners[one] for one in ids[::2]] == [second.id] * 4
    assert Counter(owners[one] for one in ids[1::2]) == {first.id: 2, third.id: 2}
    assert _codes(reply) == [None] * 8 + ["wecom_friend_only_collaborators"]
    assert owners[unknown[0]] == sales.id


def test_collaborators_see_a_customer_as_long_as_it_has_an_owner_and_do_not_give_it(sea: Any) -> None:
    sales, rival = sea.organisation.sales, sea.organisation.rival
    pool = sea.create_pool(open_to_all=False, department_ids=[str(sea.organisation.east)])
    (one,) = sea.create(owner=sales)
    before = _sees(sea, rival, one)
    sea.report_again([one], collaborator_ids=[str(rival.id)])

    seen = _sees(sea, rival, one)
    refused = [
        sea.act("transfer", rival, [one], member_id=str(rival.id)),
        sea.act("release", rival, [one]),
    ]
    claimed = sea.act("claim", rival, [one])
    sea.act("release", sales, [one], pool_id=pool["id"])

    assert (before, seen) == ({404}, {200})
    assert [_refused(reply) for reply in refused] == [(403, "not_yours_to_give")] * 2
    assert _refused(claimed) == (409, "already_owned")
    assert _sees(sea, rival, one) == {404}


@pytest.mark.parametrize("how", ["ids", "selection"])
def test_facts_are_confirmed_before_several_customers_are_released(sea: Any, customer: Any, how: str) -> None:
    sales = sea.organisation.sales
    friend, *others = customer.visible[str(sales.id)] = sea.create(3, owner=sales)
    customer.states = [sea.state(id=friend, facts_version=2, wecom_friend=True)]

    if how == "ids":
        reply = sea.act("release", sales, [friend, *others])
        codes = dict(zip([friend, *others], _codes(reply), strict=True))
    else:
        path = sea.select("release", sales).headers["Location"].removeprefix("/api/v1")
        sea.finish()
        codes = {
            item["item_id"]: item["code"] or None for item in sea.send("GET", f"{path}/items", sales).json["items"]
        }

    assert codes == {friend: "wecom_friend_protected"} | dict.fromkeys(others)
    assert sea.owners() == {friend: sales.id} | dict.fromkeys(others)
    assert [one.wecom_friend for one in sea.rows(Customer) if one.id == UUID(friend)] == [True]


def test_while_customer_is_away_nothing_is_taken_and_a_batch_goes_on_later(sea: Any, customer: Any) -> None:
    sales = sea.organisation.sales
    ids = customer.visible[str(sales.id)] = sea.create(3, owner=sales)
    batch = sea.select("release", sales)
    customer.away = True

    at_once = sea.act("release", sales, ids)
    waits = sea.work()
    meanwhile = set(sea.owners().values())
    customer.away = False
    sea.finish()

    assert (at_once.status_code, waits, meanwhile) == (503, False, {sales.id})
    assert (sea.batch(batch)["done"], set(sea.owners().values())) == (3, {None})


def test_a_single_release_needs_nobody_and_a_repeated_one_asks_nobody(sea: Any, customer: Any) -> None:
    sales = sea.organisation.sales
    single, *several = sea.create(3, owner=sales)
    once = {"Idempotency_Key": "once"}
    first = sea.act("release", sales, several, headers=once)
    customer.away = True

    replies = [sea.act("release", sales, [single]), sea.act("release", sales, several, headers=once)]

    assert [reply.status_code for reply in replies] == [200, 200]
    assert replies[1].json == first.json


def test_confirming_a_page_costs_as_many_statements_for_many_customers_as_for_few(sea: Any, customer: Any) -> None:
    sales, counts = sea.organisation.sales, []
    sea.send("GET", "/pools", sales)
    for size in (2, 150):
        ids = sea.create(size, owner=sales)
        customer.states = [sea.state(id=one, facts_version=2, wecom_friend=place % 2) for place, one in enumerate(ids)]
        with sea.counting_statements() as statements:
            reply = sea.act("release", sales, ids)
        assert reply.json["skipped"] == size // 2
        counts.append(len(statements))

    assert counts[0] == counts[1]


def test_older_facts_never_overwrite_newer_ones(sea: Any, customer: Any) -> None:
    sales = sea.organisation.sales
    friend, other = sea.create(2, owner=sales)
    sea.report_again([friend], version=3, wecom_friend=True)
    customer.states = [sea.state(id=friend, facts_version=2)]
    sea.report_again([friend], version=2)

    reply = sea.act("release", sales, [friend, other])

    assert _codes(reply) == ["wecom_friend_protected", None]


def test_a_check_finds_facts_that_were_missed_and_a_rebuild_takes_them_over(sea: Any, customer: Any) -> None:
    sales, helper = sea.organisation.sales, sea.organisation.rival
    locked, friend = sea.create(2, owner=sales)
    customer.states = [
        sea.state(id=locked, facts_version=2, owner=sales, locked=True, level="a"),
        sea.state(id=friend, facts_version=2, owner=sales, wecom_friend=True, collaborator_ids=[str(helper.id)]),
    ]
    (projection,) = [one for one in SERVICE.projections if one.name == "customers"]

    before = projection.check(sea.opened.runtime)
    projection.rebuild(sea.opened.runtime)

    assert (before, projection.check(sea.opened.runtime)) == (2, 0)
    assert (_sees(sea, sea.organisation.supervisor, locked), _sees(sea, helper, friend)) == ({404}, {200})
    assert sea.opened.outbox(events.AssignmentBatchFinished) == []
