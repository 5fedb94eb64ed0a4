"""Finding duplicates in the whole base: groups, what is dismissed, and scans that are cut short."""

from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from crm.common.v1.place_pb2 import Place
from crm_customer.duplicate_scans import scanning
from crm_customer.duplicate_scans.rules import Group, Pair, compared, grouped
from crm_customer.duplicate_scans.scanning import forget_keys, scan_on
from tests.support.statements import failing_at, statements_of


def _start(customers: Any, by: Any) -> Any:
    return customers.request("POST", "/duplicates/scans", by)


def _scan(customers: Any) -> Any:
    """A scan from beginning to end, as the supervisor of the east starts it."""
    by = customers.organisation.supervisor
    started = _start(customers, by)
    assert started.status_code == 202, started.text
    while scan_on(customers.runtime):
        pass
    return customers.request("GET", f"/duplicates/scans/{started.json['id']}", by).json


def _groups(customers: Any, by: Any, status: str = "open") -> list[Any]:
    reply = customers.request("GET", "/duplicates/groups", by, query_string={"status": status})
    assert reply.status_code == 200, reply.text
    assert reply.json["total"] == len(reply.json["items"])
    return list(reply.json["items"])


def _names(groups: list[Any]) -> list[list[str]]:
    return [sorted(member["customer"]["name"] for member in group["members"]) for group in groups]


def _act(customers: Any, by: Any, group: Any, verb: str) -> Any:
    return customers.request("POST", f"/duplicates/groups/{group['id']}:{verb}", by)


def _companies(customers: Any) -> None:
    people = customers.organisation
    customers.create(people.sales, "北京华夏春松科技有限公司")
    customers.create(people.colleague, "华夏春松科技")
    customers.create(people.sales, "上海大众汽车有限公司")
    customers.create(people.sales, "上海小众汽车有限公司")
    customers.create(people.sales, "甲骨文软件", contact={"name": "陈立", "mobile": "13800138000"})
    customers.create(people.colleague, "蓝海软件", contact={"name": "陈立", "mobile": "13800138000"})


def test_a_scan_finds_those_that_are_likely_one_company(customers: Any) -> None:
    _companies(customers)

    done = _scan(customers)

    assert (done["status"], done["customers"], done["groups"]) == ("finished", 6, 2)
    groups = _groups(customers, customers.organisation.supervisor)
    assert sorted(_names(groups)) == [["北京华夏春松科技有限公司", "华夏春松科技"], ["甲骨文软件", "蓝海软件"]]
    reasons = {
        name: member["reasons"]
        for group in groups
        for member in group["members"]
        for name in [member["customer"]["name"]]
    }
    assert "phone" in reasons["蓝海软件"]
    assert "phone" not in reasons["华夏春松科技"]
    assert [group["score"] for group in groups] == sorted((group["score"] for group in groups), reverse=True)


def test_a_group_is_shown_to_whoever_sees_two_of_it_and_no_more_of_it_than_that(customers: Any) -> None:
    people = customers.organisation
    for by, name in ((people.sales, "华夏春松"), (people.colleague, "华夏春松"), (people.rival, "华夏春松")):
        customers.create(by, name)
    _scan(customers)

    [group] = _groups(customers, people.supervisor)

    assert (len(group["members"]), group["hidden"]) == (2, 1)
    assert _groups(customers, people.rival_supervisor) == []
    path = f"/duplicates/groups/{group['id']}"
    assert customers.request("GET", path, people.rival_supervisor).status_code == 404
    assert _act(customers, people.rival_supervisor, group, "dismiss").status_code == 404
    [whole] = _groups(customers, people.admin)
    assert (len(whole["members"]), whole["hidden"]) == (3, 0)
    assert customers.request("GET", "/duplicates/groups", people.sales).json["code"] == "forbidden"


def test_what_is_dismissed_is_not_found_again_until_that_is_taken_back(customers: Any) -> None:
    people = customers.organisation
    for by in (people.sales, people.colleague):
        customers.create(by, "华夏春松")
    _scan(customers)
    [group] = _groups(customers, people.supervisor)

    dismissed = _act(customers, people.supervisor, group, "dismiss")

    assert dismissed.json["status"] == "dismissed"
    assert _act(customers, people.supervisor, group, "dismiss").json["version"] == dismissed.json["version"]
    assert _scan(customers)["groups"] == 0
    assert _groups(customers, people.supervisor) == []
    assert len(_groups(customers, people.supervisor, "dismissed")) == 1
    assert _act(customers, people.supervisor, group, "reopen").json["status"] == "open"
    assert _scan(customers)["groups"] == 1


def test_one_scan_goes_on_at_a_time_and_one_that_is_cancelled_leaves_the_groups_before(customers: Any) -> None:
    people = customers.organisation
    _companies(customers)
    _scan(customers)
    second = _start(customers, people.supervisor).json
    refused = _start(customers, people.operations)
    assert (refused.status_code, refused.json["code"]) == (409, "scan_running")
    assert scan_on(customers.runtime)

    cancelled = customers.request("POST", f"/duplicates/scans/{second['id']}:cancel", people.supervisor)

    assert cancelled.json["status"] == "cancelled"
    assert scan_on(customers.runtime) is False
    assert len(_groups(customers, people.supervisor)) == 2
    again = customers.request("POST", f"/duplicates/scans/{second['id']}:cancel", people.supervisor)
    assert again.json["code"] == "scan_over"
    assert forget_keys(customers.runtime) is False
    with customers.database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM duplicate_scan_keys")) == 0


def test_a_scan_cut_short_at_any_statement_ends_the_same(customers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "_CUSTOMERS_AT_ONCE", 2)
    monkeypatch.setattr(scanning, "_KEYS_AT_ONCE", 6)
    _companies(customers)
    _scan(customers)
    wanted = _names(_groups(customers, customers.organisation.supervisor))
    _start(customers, customers.organisation.supervisor)

    more, place = True, 0
    while more:
        with failing_at(customers.database, place) as failed, suppress(ConnectionError):
            more = scan_on(customers.runtime)
        place = place + 1 if failed else 0

    assert _names(_groups(customers, customers.organisation.supervisor)) == wanted


def test_a_step_takes_as_many_statements_for_many_customers_as_for_few(customers: Any) -> None:
    def statements(count: int) -> list[int]:
        for number in range(count):
            customers.create(customers.organisation.sales, f"蓝{number // 2}海软件有限公司")
        _start(customers, customers.organisation.supervisor)
        counted, more = [], True
        while more:
            with statements_of(customers.database) as seen:
                more = scan_on(customers.runtime)
            counted.append(len(seen))
        return counted

    assert statements(4) == statements(40)


def test_a_customer_that_went_to_a_pool_out_of_sight_or_was_deleted_is_no_member_any_more(customers: Any) -> None:
    people = customers.organisation
    one, other, _ = (customers.create(by, "华夏春松") for by in (people.sales, people.sales, people.colleague))
    _scan(customers)
    path, headers = f"/customers/{one['id']}", {"If_Match": '"1"'}
    assert customers.request("DELETE", path, people.sales, headers=headers).status_code == 204
    [group] = _groups(customers, people.supervisor)
    assert (len(group["members"]), group["hidden"]) == (2, 1)

    customers.move(other, 2, Place(owner_id=str(people.rival.id)))

    assert _groups(customers, people.supervisor) == []


def _pair(first: int, second: int, score: float) -> Pair:
    return Pair(_id(first), _id(second), score, ("name",))


def _id(number: int) -> UUID:
    return UUID(int=number)


def _members(groups: list[Group]) -> list[list[int]]:
    return sorted(sorted(id_.int for id_ in group.members) for group in groups)


def test_pairs_become_groups_of_at_most_ten_the_best_first() -> None:
    chain = [_pair(number, number + 1, 0.9) for number in range(1, 12)]

    assert _members(grouped(chain, set())) == [list(range(1, 11)), [11, 12]]
    assert [group.score for group in grouped([_pair(1, 2, 0.99), _pair(2, 3, 0.8)], set())] == [0.99]


def test_those_that_are_distinct_are_never_in_one_group() -> None:
    pairs = [_pair(1, 2, 0.99), _pair(2, 3, 0.9)]

    assert _members(grouped(pairs, {(_id(1), _id(3))})) == [[1, 2]]


def test_of_very_many_who_share_a_key_each_is_compared_with_the_next() -> None:
    assert len(list(compared([_id(number) for number in range(50)]))) == 50 * 49 // 2
    assert len(list(compared([_id(number) for number in range(51)]))) == 50
