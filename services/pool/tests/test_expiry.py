"""The day on which a customer expires, over PostgreSQL: who is governed by which rule, and what moves the day."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.clock import day_of, now
from crm.pool.v1 import pool_events_pb2 as pb
from crm_pool.assignments.model import Assignment

ZONE = "Asia/Shanghai"


def _day(days: int, since: datetime | None = None) -> Any:
    return day_of(since or now(), ZONE) + timedelta(days=days)


def _days(sea: Any) -> dict[str, Any]:
    return {str(one.customer_id): one.expires_on for one in sea.rows(Assignment)}


def _touch(at: datetime) -> Timestamp:
    moment = Timestamp()
    moment.FromDatetime(at)
    return moment


@pytest.mark.parametrize("verb", ["claim", "assign", "transfer"])
def test_whoever_gets_a_customer_has_the_days_of_the_rule(sea: Any, verb: str) -> None:
    people = sea.organisation
    sea.put_in_force(sea.default())
    (id_,) = sea.create(owner=people.rival) if verb == "transfer" else sea.create()
    giver, body = {
        "claim": (people.sales, {}),
        "assign": (people.admin, {"member_ids": [str(people.sales.id)]}),
        "transfer": (people.rival, {"member_id": str(people.sales.id)}),
    }[verb]
    assert sea.act(verb, giver, [id_], **body).status_code == 200
    assert _days(sea) == {id_: _day(30)}


def test_a_customer_in_a_pool_has_no_day(sea: Any) -> None:
    sea.put_in_force(sea.default())
    (id_,) = sea.create(owner=sea.organisation.sales)
    assert _days(sea)[id_] is not None
    sea.act("release", sea.organisation.sales, [id_])
    assert _days(sea) == {id_: None}


def test_a_touch_moves_the_day_and_is_told_as_a_version_without_history(sea: Any) -> None:
    sea.put_in_force(sea.default())
    (id_,) = sea.create()
    sea.act("claim", sea.organisation.sales, [id_])
    touched_at = now() + timedelta(days=2)
    sea.report_again([id_], last_touch_at=_touch(touched_at))
    assert _days(sea) == {id_: _day(30, touched_at)}
    assert [entry.version for entry in sea.history(id_)] == [1, 2]
    changed = sea.opened.outbox(pb.AssignmentsChanged)[-1]
    (change,) = changed.changes
    assert (changed.cause, change.state.version, change.previous) == (pb.CAUSE_RESCHEDULE, 3, change.state.place)
