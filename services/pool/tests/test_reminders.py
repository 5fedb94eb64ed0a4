"""Reminders of what expires: one digest a person and day, the same days as the recycler's (decision 0024)."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from chassis import clock
from chassis.days import day_of
from crm.pool.v1 import pool_events_pb2 as events
from crm_pool.reminders.model import ExpiryDigest


def _remind(sea: Any) -> None:
    while sea.run("remind-of-expiry"):
        pass


def _digests(sea: Any) -> dict[str, list[tuple[str, int, int]]]:
    """Per receiver the owner, days left and customers of each group."""
    found = sea.opened.outbox(events.ExpiryDigest)
    told = {
        one.member_id: [(group.owner_id, group.days_left, group.customers) for group in one.expiring] for one in found
    }
    assert len(told) == len(found), "somebody was told twice"
    return told


@pytest.fixture(autouse=True)
def rule(sea: Any) -> Any:
    return sea.put_in_force(sea.default())


def test_owners_are_reminded_at_seven_three_and_no_days_and_managers_from_three_on(sea: Any) -> None:
    sales, supervisor = sea.organisation.sales, sea.organisation.supervisor
    for left, count in ((8, 1), (7, 2), (5, 1), (3, 3), (0, 4), (-1, 2)):
        sea.expire(sea.own(count, sales), days=-left)

    _remind(sea)

    assert _digests(sea) == {
        str(sales.id): [(str(sales.id), 0, 4), (str(sales.id), 3, 3), (str(sales.id), 7, 2)],
        str(supervisor.id): [(str(sales.id), 0, 4), (str(sales.id), 3, 3)],
    }


def test_a_manager_who_owns_customers_has_one_digest_of_all(sea: Any) -> None:
    sales, colleague, supervisor = sea.organisation.sales, sea.organisation.colleague, sea.organisation.supervisor
    sea.expire(sea.own(1, supervisor), days=-7)
    sea.expire([*sea.own(1, sales), *sea.own(2, colleague)], days=-3)

    _remind(sea)

    told = _digests(sea)[str(supervisor.id)]
    assert sorted(told) == sorted([(str(sales.id), 3, 1), (str(colleague.id), 3, 2), (str(supervisor.id), 7, 1)])
    assert [left for _, left, _ in told] == [3, 3, 7]


def test_a_digest_names_three_customers_and_says_the_last_day(sea: Any) -> None:
    names = ["甲公司", "乙公司", "丙公司", "丁公司"]
    sea.expire([sea.own(1, sea.organisation.sales, name=name)[0] for name in names], days=-7)

    _remind(sea)

    (digest,) = sea.opened.outbox(events.ExpiryDigest)
    (group,) = digest.expiring
    today = day_of(clock.now(), "Asia/Shanghai")
    assert (list(group.customer_names), group.customers) == (names[:3], 4)
    assert (digest.day, group.expires_on) == (str(today), str(today + timedelta(days=7)))


def test_a_day_reminds_once_however_many_workers_ask(sea: Any) -> None:
    owners = [sea.hire(f"员工{number}") for number in range(20)]
    sea.expire([one for owner in owners for one in sea.own(1, owner)], days=-3)
    barrier = threading.Barrier(4)

    def work(_number: int) -> None:
        barrier.wait()
        _remind(sea)

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(work, range(4)))
    _remind(sea)

    told = _digests(sea)
    assert set(told) == {str(one.id) for one in (*owners, sea.organisation.supervisor)}
    assert len(told[str(sea.organisation.supervisor.id)]) == 20
    assert len(sea.rows(ExpiryDigest)) == 21


def test_digests_need_as_many_statements_for_many_people_as_for_few(sea: Any) -> None:
    counts = []
    for size in (1, 30):
        sea.sql("DELETE FROM expiry_digests")
        sea.expire([one for number in range(size) for one in sea.own(2, sea.hire(f"{size}号{number}"))], days=-3)
        with sea.counting_statements() as statements:
            assert sea.run("remind-of-expiry")
        counts.append(len(statements))

    assert counts[0] == counts[1]


def test_people_beyond_one_page_are_reminded_too(sea: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_pool.reminders.commands._PAGE", 3)
    owners = [sea.hire(f"员工{number}") for number in range(7)]
    sea.expire([one for owner in owners for one in sea.own(1, owner)], days=-7)

    _remind(sea)

    assert set(_digests(sea)) == {str(one.id) for one in owners}


def test_the_days_are_those_of_the_settings(sea: Any) -> None:
    sea.expire(sea.own(1, sea.organisation.sales), days=-10)
    sea.expire(sea.own(1, sea.organisation.sales), days=-7)
    sea.sql("UPDATE pool_settings SET reminder_days = '{10,1}', manager_from_days = 1")

    _remind(sea)

    sales = str(sea.organisation.sales.id)
    assert _digests(sea) == {sales: [(sales, 10, 1)]}


def test_nobody_is_reminded_of_what_does_not_expire(sea: Any) -> None:
    """W11: the reminder added customers of whoever looked, who would never lose them."""
    sales, gone = sea.organisation.sales, sea.organisation.rival
    locked, deleted, left = sea.own(1, sales), sea.own(1, sales), sea.own(1, gone)
    sea.expire([*locked, *deleted, *left], days=-3)
    sea.report_again(locked, version=3, locked=True)
    sea.sql(f"UPDATE assignments SET suspended = true WHERE customer_id = '{deleted[0]}'")
    sea.leave(gone)

    _remind(sea)

    assert _digests(sea) == {}


def test_a_manager_who_left_hears_nothing(sea: Any) -> None:
    sales = sea.organisation.sales
    sea.expire(sea.own(1, sales), days=-3)
    sea.dismiss(sea.organisation.supervisor)

    _remind(sea)

    assert set(_digests(sea)) == {str(sales.id)}


def test_who_was_told_is_forgotten_after_a_month(sea: Any) -> None:
    sea.expire(sea.own(1, sea.organisation.sales), days=-7)
    _remind(sea)
    sea.sql("INSERT INTO expiry_digests SELECT member_id, day - 31 FROM expiry_digests")

    sea.run("forget-expiry-digests")

    assert [one.day for one in sea.rows(ExpiryDigest)] == [day_of(clock.now(), "Asia/Shanghai")]
