"""Notify stopped while others work: nobody who works notices, and everything is told afterwards, in its order."""

from typing import Any

import pytest

from chassis.identifiers import new_id
from highsea_local.demo.gateway import until
from tests.support.whole import Whole

pytestmark = pytest.mark.system
ASSIGNED = 12


def test_what_happens_while_notify_is_stopped_is_told_once_and_in_order(whole: Whole) -> None:
    name = new_id().hex[-8:]
    customers = whole.customers_in_pool([f"停讯{name}-{number}" for number in range(ASSIGNED)])
    seller, operations = whole.person("sales"), whole.person("operations")
    with whole.without("notify-serve", "notify-work", "notify-push"):
        for customer_id in customers:
            body = {"customer_ids": [customer_id], "member_ids": [seller.id], "notify": {"in_app": True}}
            operations.post("/assignments:assign", body)

    def inbox() -> list[dict[str, Any]]:
        items = seller.get("/notifications", kind="customers_assigned", page_size=200)["items"]
        return [item for item in items if item["subject"] and item["subject"]["id"] in customers]

    until(lambda: len(inbox()) >= ASSIGNED, 120)
    told = inbox()
    assert [item["subject"]["id"] for item in told] == customers[::-1]
    # Told late, and dated by when it happened.
    assert all(item["occurred_at"] < item["created_at"] for item in told)
    assert sorted({item["occurred_at"] for item in told}, reverse=True) == [item["occurred_at"] for item in told]
