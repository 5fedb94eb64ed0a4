"""Versions in the shadow: what they would take is recorded once, and nothing is taken by them (decision 0024)."""

from typing import Any

import pytest

from crm_pool.assignments.model import AssignmentRow
from crm_pool.recycle_rules.model import ShadowDecision


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_pool.shadows.commands.PAGE", 3)


def _watch(sea: Any) -> None:
    while sea.run("watch-shadows"):
        pass


def _recorded(sea: Any) -> list[tuple[str, Any, Any]]:
    return sorted((str(one.customer_id), one.rule_id, one.owner_id) for one in sea.rows(ShadowDecision))


def test_what_a_version_in_the_shadow_would_take_is_recorded_and_stays_where_it_is(sea: Any) -> None:
    sales, colleague = sea.organisation.sales, sea.organisation.colleague
    sea.put_in_force(sea.default())
    shadow = sea.put_in_force(sea.default(), {"kind": "no_follow_up", "days": 10}, state="shadow")
    gone, kept = [*sea.own(4, sales), *sea.own(1, colleague)], sea.own(3, sales)
    sea.expire(gone, days=-19)
    sea.expire(kept, days=-20)

    _watch(sea)

    owners = sea.owners()
    assert _recorded(sea) == sorted((id_, shadow, owners[id_]) for id_ in gone)
    assert None not in owners.values()
    assert {one.version for one in sea.rows(AssignmentRow)} == {1}


def test_on_later_days_only_what_has_expired_since_is_recorded(sea: Any) -> None:
    sales = sea.organisation.sales
    sea.put_in_force(sea.default())
    sea.put_in_force(sea.default(), {"kind": "no_follow_up", "days": 10}, state="shadow")
    first, later = sea.own(1, sales), sea.own(1, sales)
    sea.expire(first, days=-10)
    _watch(sea)
    sea.expire(later, days=-10)
    _watch(sea)
    meanwhile = [id_ for id_, _, _ in _recorded(sea)]

    sea.sql("UPDATE shadow_walks SET day = day - 1")
    sea.sql("UPDATE shadow_decisions SET day = day - 1")
    _watch(sea)

    assert meanwhile == first
    assert [id_ for id_, _, _ in _recorded(sea)] == sorted([*first, *later])


def test_without_a_version_in_the_shadow_nobody_walks(sea: Any) -> None:
    sea.put_in_force(sea.default())
    sea.expire(sea.own(1, sea.organisation.sales))

    with sea.counting_statements() as statements:
        assert not sea.run("watch-shadows")

    assert len(statements) <= 3
    assert _recorded(sea) == []
