"""What nobody claims goes on to the next pool (decision 0024)."""

from collections.abc import Callable
from typing import Any

import pytest

from crm_pool.assignments.model import AssignmentRow


@pytest.fixture
def age(sea: Any) -> Callable[[str, int], None]:
    sea.sql("UPDATE pool_settings SET recycle_at = '00:00'")
    return lambda id_, days: sea.sql(
        f"UPDATE assignments SET held_since = held_since - interval '{days} days' WHERE customer_id = '{id_}'",
    )


def test_after_its_days_a_customer_goes_on_once_a_day(sea: Any, age: Any) -> None:
    last = sea.create_pool(name="三池")
    middle = sea.create_pool(name="二池", cascade_pool_id=last["id"], cascade_after_days=1)
    first = sea.create_pool(name="一池", cascade_pool_id=middle["id"], cascade_after_days=7)
    stays, goes = sea.create(2, pool=first["id"])
    age(stays, 7)
    age(goes, 8)

    while sea.run("cascade"):
        pass

    places = {str(one.customer_id): str(one.pool_id) for one in sea.rows(AssignmentRow)}
    assert places == {stays: first["id"], goes: middle["id"]}
    assert [entry.cause for entry in sea.history(goes)] == ["birth", "cascade"]


def test_pools_that_follow_each_other_in_a_circle_move_a_customer_once(sea: Any, age: Any) -> None:
    one, other = sea.create_pool(), sea.create_pool()
    sea.sql(f"UPDATE pools SET cascade_pool_id = '{other['id']}', cascade_after_days = 1 WHERE id = '{one['id']}'")
    sea.sql(f"UPDATE pools SET cascade_pool_id = '{one['id']}', cascade_after_days = 1 WHERE id = '{other['id']}'")
    (id_,) = sea.create(pool=one["id"])
    age(id_, 9)

    while sea.run("cascade"):
        pass

    assert len(sea.history(id_)) == 2
