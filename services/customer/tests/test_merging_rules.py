"""Which values a merged customer has, and which of them an undo brings back."""

from datetime import timedelta
from typing import Any

from chassis.identifiers import new_id
from crm_customer.merging.rules import (
    PARENT_FIELD,
    Side,
    lost,
    owners_to_choose,
    restored,
    settled,
    too_old,
    without_cycle,
)


def _sides(*values: dict[str, Any]) -> list[Side]:
    fields = {name for one in values for name in one}
    return [Side(new_id(), dict.fromkeys(fields) | {"name": f"客户{place}"} | one) for place, one in enumerate(values)]


def test_the_first_filled_value_counts_unless_one_is_chosen_even_an_empty_one() -> None:
    sides = _sides({"rating": None, "remark": "a"}, {"rating": 2, "remark": ""}, {"rating": 3, "remark": "c"})

    assert settled(sides, {}) == {"name": "客户0", "rating": 2, "remark": "a"}
    chosen = settled(sides, {"rating": sides[2].id, "remark": sides[1].id, "name": sides[2].id})
    assert chosen == {"name": "客户2", "rating": 3, "remark": None}


def test_what_follows_a_field_comes_from_whom_that_field_is_the_same() -> None:
    sides = _sides({"province": "js", "city": None}, {"province": "gd", "city": "gz"}, {"province": "js", "city": "nj"})

    assert settled(sides, {})["city"] == "nj"
    assert settled(sides, {"city": sides[1].id})["city"] is None
    assert settled(sides, {"province": sides[1].id})["city"] == "gz"


def test_every_filled_value_that_is_not_kept_is_lost() -> None:
    sides = _sides({"rating": 1, "remark": "a"}, {"rating": 1, "remark": "b"}, {"rating": 2, "remark": None})

    found = lost(sides, settled(sides, {}))

    assert {(one.field, one.customer_id, one.value) for one in found} == {
        ("rating", sides[2].id, 2),
        ("remark", sides[1].id, "b"),
    }


def test_a_parent_below_the_merged_customer_is_none() -> None:
    above, below = new_id(), new_id()
    sides = _sides({PARENT_FIELD: str(below)}, {PARENT_FIELD: str(above)})

    freed = without_cycle(sides, {below: sides[1].id, sides[1].id: above})

    assert [side.values[PARENT_FIELD] for side in freed] == [None, str(above)]


def test_only_what_is_as_the_merge_left_it_comes_back() -> None:
    before, after = {"rating": 1, "remark": None}, {"rating": 2, "remark": "b"}

    assert restored(before, after, {"rating": 2, "remark": "b"}) == (before, [])
    assert restored(before, after, {"rating": 3, "remark": "b"}) == ({"remark": None}, ["rating"])


def test_a_city_stays_with_a_province_that_was_changed_since() -> None:
    before, after = {"province": "js", "city": "nj"}, {"province": "gd", "city": "gz"}

    assert restored(before, after, {"province": "zj", "city": "gz"}) == ({}, ["city", "province"])


def test_owners_are_asked_about_where_nobody_owns_the_survivor() -> None:
    one, other, gone = new_id(), new_id(), new_id()
    losers = [(one, False), (None, False), (gone, True), (other, False), (one, False)]

    assert owners_to_choose(None, losers) == [one, other]
    assert owners_to_choose(new_id(), losers) == []


def test_a_merge_can_be_undone_for_30_days() -> None:
    assert not too_old(timedelta(days=30))
    assert too_old(timedelta(days=30, microseconds=1))
