"""The day shown is the day told, explained, rehearsed, reminded of and taken on: nobody else computes one (decision 0023)."""

from datetime import date
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chassis import clock
from chassis.days import day_of
from crm.pool.v1 import pool_events_pb2 as pb


@pytest.mark.parametrize(
    ("conditions", "values", "facts_of_it"),
    [
        ([{"kind": "no_follow_up", "days": 20}], {}, {}),
        ([{"kind": "no_follow_up", "days": 10, "days_by_level": {"a": 15}}], {}, {"level": "a"}),
        ([{"kind": "no_follow_up", "days": 12}], {"working_days": True}, {}),
        ([{"kind": "no_follow_up", "days": 90}, {"kind": "no_deal", "days": 25}], {}, {}),
    ],
    ids=["days", "level", "working days", "first of several"],
)
def test_everybody_says_the_same_last_day(
    sea: Any, tomorrow: Any, conditions: list[Any], values: dict[str, Any], facts_of_it: dict[str, Any]
) -> None:
    sales, rule_id = sea.organisation.sales, sea.put_in_force(sea.default(), *conditions, **values)
    touched = Timestamp()
    touched.FromDatetime(clock.now())
    (customer,) = sea.own(1, sales, last_touch_at=touched, **facts_of_it)
    sea.expire([])  # nothing; but runs may take by this rule now

    shown = date.fromisoformat(sea.send("GET", f"/assignments/{customer}", sales).json["expires_on"])

    (told,) = {change.state.expires_on for fact in sea.opened.outbox(pb.AssignmentsChanged) for change in fact.changes}
    explained = sea.send("GET", f"/assignments/{customer}/explanation", sales).json["expires_on"]
    assert [told, explained, *_rehearsed(sea, rule_id)] == [shown.isoformat()] * 3

    left = (shown - _today()).days
    tomorrow(left - 3)
    assert _reminded(sea, sales) == [(shown.isoformat(), 3)]
    tomorrow(3)
    assert (_taken(sea, customer), _today()) == (False, shown)
    tomorrow(1)
    assert _taken(sea, customer)


def _today() -> date:
    return day_of(clock.now(), "Asia/Shanghai")


def _rehearsed(sea: Any, rule_id: Any) -> list[str]:
    admin = sea.organisation.admin
    begun = sea.send("POST", f"/rules/{rule_id}:rehearse", admin).json
    while sea.run("rehearse"):
        pass
    listed = sea.send("GET", f"/rules/rehearsals/{begun['id']}/customers?within=30", admin).json["items"]
    return [one["expires_on"] for one in listed]


def _reminded(sea: Any, member: Any) -> list[tuple[str, int]]:
    while sea.run("remind-of-expiry"):
        pass
    digests = [one for one in sea.opened.outbox(pb.ExpiryDigest) if one.member_id == str(member.id)]
    return [(group.expires_on, group.days_left) for one in digests for group in one.expiring]


def _taken(sea: Any, customer: str) -> bool:
    sea.recycle()
    return sea.owners()[customer] is None
