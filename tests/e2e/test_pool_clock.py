"""When a customer is taken back, as people see it: a rule takes effect, a follow-up and an extension move the day."""

from datetime import timedelta
from typing import Any

import pytest

from chassis.clock import now
from highsea_local.demo.gateway import Person, Refused, until
from tests.support.whole import Whole, owner_of, told

pytestmark = pytest.mark.system

DAYS = 10


@pytest.fixture(scope="module")
def sales(whole: Whole) -> Person:
    return whole.hire("sales", "钟点")


@pytest.fixture(scope="module")
def pool(whole: Whole, sales: Person) -> dict[str, Any]:
    """A pool of one salesperson, whose customers are taken back without a follow-up in ten days."""
    manager = whole.person("operations")
    made: dict[str, Any] = until(
        lambda: manager.post("/pools", {"name": "限时公海", "kind": "public", "member_ids": [sales.id]})
    )
    condition = {"kind": "no_follow_up", "days": DAYS}
    draft = manager.post("/rules", {"pool_id": made["id"], "conditions": [condition]})
    soon = (now() + timedelta(days=2)).date().isoformat()
    manager.post(f"/rules/{draft['id']}:announce", {"effective_on": soon})
    # Its day comes.
    whole.rows("pool", "UPDATE recycle_rules SET effective_on = '2020-01-01' WHERE id = %s RETURNING id", [draft["id"]])
    whole.run_due("pool")
    until(lambda: manager.get(f"/rules/{draft['id']}")["recycles"], seconds=150)
    return made


@pytest.fixture
def held(whole: Whole, sales: Person, pool: dict[str, Any]) -> str:
    """A customer that the salesperson claimed five days ago."""
    (id_,) = whole.customers_in_pool(["到期测试科技"], pool["id"])
    sales.post("/assignments:claim", {"customer_ids": [id_]})
    until(lambda: owner_of(sales.get(f"/customers/{id_}")) == sales.id)
    # No version is raised, so both services are told the same: they must not differ for the tests that compare them.
    for service, table, key in (("pool", "assignments", "customer_id"), ("customer", "customers", "id")):
        earlier = "held_since = held_since - interval '5 days', expires_on = expires_on - 5"
        whole.rows(service, f"UPDATE {table} SET {earlier} WHERE {key} = %s RETURNING {key}", [id_])
    return id_


def test_a_claimed_customer_says_when_it_expires_and_why(sales: Person, held: str) -> None:
    shown = sales.get(f"/assignments/{held}")
    explained = sales.get(f"/assignments/{held}/explanation")

    assert shown["days_left"] == DAYS - 5
    assert (explained["expires_on"], explained["days_left"]) == (shown["expires_on"], DAYS - 5)
    assert [(one["kind"], one["touched"], one["days"]) for one in explained["conditions"]] == [
        ("no_follow_up", False, DAYS)
    ]
    assert "限时公海" in explained["message"]


def test_a_follow_up_moves_the_day_in_the_list_the_assignment_and_the_explanation_alike(
    sales: Person, held: str
) -> None:
    sales.post("/activities", {"customer_id": held, "kind": "follow_up", "method": "电话", "content": "已约下周演示"})

    until(lambda: sales.get(f"/assignments/{held}")["days_left"] == DAYS)
    day = sales.get(f"/assignments/{held}")["expires_on"]
    until(lambda: sales.get(f"/customers/{held}")["expires_on"] == day)
    explained = sales.get(f"/assignments/{held}/explanation")
    assert (explained["expires_on"], explained["conditions"][0]["touched"]) == (day, True)


def test_more_time_is_asked_for_and_granted_and_moves_the_day_by_as_much(
    whole: Whole, sales: Person, held: str
) -> None:
    supervisor = whole.hire("supervisor", "主管")
    asked = sales.post("/extensions", {"customer_id": held, "days": 3, "reason": "等客户财年预算"})
    with pytest.raises(Refused, match="403"):
        sales.post(f"/extensions/{asked['id']}:grant")

    until(lambda: supervisor.post(f"/extensions/{asked['id']}:grant"))

    assert sales.get(f"/assignments/{held}")["days_left"] == DAYS - 5 + 3
    explained = sales.get(f"/assignments/{held}/explanation")
    assert explained["extension_days"] == 3
    until(lambda: told(sales, "extension_granted"))
