"""What a filter shows in the list is what a selection takes, from outside: conditions travel from pool to customer."""

import json

import pytest

from chassis.identifiers import new_id
from highsea_local.demo.gateway import until
from tests.support.whole import Whole

pytestmark = pytest.mark.system


def test_a_claim_of_all_that_match_takes_what_the_list_shows(whole: Whole) -> None:
    tag = new_id().hex[-8:]
    wanted, others = ([f"{word}{tag}-{number}" for number in range(3)] for word in ("筛选", "其他"))
    ids = whole.customers_in_pool([*wanted, *others])
    claimer = whole.hire("sales", "筛客")
    conditions = [
        {"field": "name", "operator": "contains", "values": [f"筛选{tag}"]},
        {"field": "created_at", "operator": "within", "values": ["last_7_days"]},
        {"field": "tags", "operator": "empty"},
    ]

    shown = claimer.get("/customers", conditions=json.dumps(conditions))["items"]
    claimed = claimer.post("/assignments:claim", {"selection": {"filter": {"search": tag, "conditions": conditions}}})
    until(lambda: claimer.get(f"/assignments/batches/{claimed['batch_id']}")["finished_at"])
    mine = claimer.get("/customers", view="mine")["items"]

    assert claimed["total"] == 3
    assert {item["id"] for item in mine} == {item["id"] for item in shown} == set(ids[:3])
