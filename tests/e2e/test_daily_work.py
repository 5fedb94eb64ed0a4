"""Daily work as people do it, through the gateway alone: from a follow-up to a paid order."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from chassis.clock import now
from highsea_local.demo.gateway import Person, until
from tests.support.whole import Whole, told

pytestmark = pytest.mark.system

QUOTATION = "报价：打印机两台".encode()


def test_from_a_follow_up_to_a_paid_order_all_is_on_the_timeline_and_told(whole: Whole) -> None:
    manager, sales = whole.hire("supervisor", "日常主管"), whole.hire("sales", "日常销售")
    until(lambda: sales.get("/pools"))  # it places customers only with whom it knows
    customers = [until(lambda name=name: _create(sales, name)) for name in ("日常甲", "日常乙", "日常丙")]  # type: ignore[misc]
    id_, today = customers[0], sales.get("/reminders")["day"]

    _follow_up_with_a_file(whole, sales, id_, today)
    _enter_a_visit(whole, sales, id_)
    dispatch = _dispatch(manager, sales, customers)
    opportunity, order = _sell(whole, sales, id_)
    _be_paid_in_part(sales, order, today)

    assert sales.get(f"/opportunities/{opportunity}").items() >= {"stage": "won", "amount": "1000.00"}.items()
    assert sales.get(f"/customers/{id_}")["won"] is True
    assert _timeline(sales, id_) == [
        ("schedule", "planned"),
        ("payment", "received"),
        ("order", "completed"),
        ("opportunity", "won"),
        ("order", "created"),
        ("opportunity", "created"),
        ("task", "completed"),
        ("task", "created"),
        ("file", "added"),
        ("follow_up", "written"),
        ("assignment", "birth"),
    ]
    assert _timeline(sales, id_, status="open") == [("schedule", "planned")]
    assert _timeline(sales, id_, kinds=["file", "payment"]) == [("payment", "received"), ("file", "added")]
    assert _timeline(sales, id_, member_id=manager.id) == [("task", "created")]
    due = {one["kind"]: one["count"] for one in sales.get("/reminders")["kinds"]}
    assert (due["follow_up"], due["receivable"]) == (1, 1)
    assert [one["title"] for one in sales.get("/reminders/receivable")["items"]] == ["600.00 CNY"]
    told_of_tasks = until(lambda: told(sales, "tasks_dispatched"))
    assert told_of_tasks["subject"] == {"type": "task_dispatch", "id": dispatch}
    until(lambda: told(manager, "dispatch_finished"))
    whole.run_due("customer")
    assert "上门演示" in until(lambda: told(sales, "reminder_due"), seconds=150)["title"]


def _create(sales: Person, name: str) -> str:
    id_: str = sales.post("/customers", {"name": name})["id"]
    until(lambda: sales.get(f"/assignments/{id_}"))
    return id_


def _follow_up_with_a_file(whole: Whole, sales: Person, customer_id: str, today: str) -> None:
    said = {"kind": "follow_up", "method": "电话", "content": "约看样品", "next_contact_on": today}
    activity = sales.post("/activities", {"customer_id": customer_id, **said})
    where = f"/files?customer_id={customer_id}&activity_id={activity['id']}"
    file = sales.upload(where, "报价单.txt", QUOTATION)

    link = sales.post(f"/files/{file['id']}:ticket")["url"]

    assert _open(whole, link).content == QUOTATION
    assert _open(whole, link).status_code == 404


def _enter_a_visit(whole: Whole, sales: Person, customer_id: str) -> None:
    begins, reminds = (now() + timedelta(hours=1)).isoformat(), (now() + timedelta(seconds=2)).isoformat()
    entry = {"subject": "上门演示", "customer_id": customer_id, "starts_at": begins, "remind_at": reminds}
    sales.post("/schedules", entry)

    feed = _open(whole, sales.put("/schedules/feed")["url"]).text

    assert "SUMMARY:上门演示 · 日常甲" in feed
    assert "SUMMARY:约看样品 · 日常甲" in feed


def _dispatch(manager: Person, sales: Person, customer_ids: list[str]) -> str:
    """Give a task for each customer, one of which is completed. Returns the dispatch's id."""
    asked = {"customer_ids": customer_ids, "handler_ids": [sales.id], "kind": "call", "subject": "电话回访"}
    batch = until(lambda: manager.post("/tasks:dispatch", asked))
    until(lambda: manager.get(f"/customers/batches/{batch['id']}")["status"] == "finished")
    tasks = sales.get("/tasks", dispatch_id=batch["id"])["items"]
    (about,) = (task["id"] for task in tasks if task["customer"]["id"] == customer_ids[0])
    sales.post(f"/tasks/{about}:complete", {"note": "已联系"})

    progress: dict[str, Any] = manager.get(f"/tasks/dispatches/{batch['id']}")
    assert (progress["running"], progress["tasks"]["done"], progress["tasks"]["open"]) == (False, 1, 2)
    return str(batch["id"])


def _sell(whole: Whole, sales: Person, customer_id: str) -> tuple[str, str]:
    """The opportunity and its completed order."""
    product = whole.person("administrator").post("/products", {"name": "打印机", "price": "500"})
    opportunity = sales.post("/opportunities", {"customer_id": customer_id, "name": "年度采购", "amount": "900"})
    lines = [{"product_id": product["id"], "quantity": "2"}]
    asked = {"customer_id": customer_id, "opportunity_id": opportunity["id"], "lines": lines}
    order = sales.post("/orders", asked)
    sales.post(f"/orders/{order['id']}:confirm")
    sales.post(f"/orders/{order['id']}:complete")
    return opportunity["id"], order["id"]


def _be_paid_in_part(sales: Person, order_id: str, today: str) -> None:
    sales.post(f"/orders/{order_id}/receivables", {"due_on": today, "amount": "1000"})
    sales.post(f"/orders/{order_id}/payments", {"amount": "400"})

    (left,) = sales.get(f"/orders/{order_id}/receivables")["items"]
    assert left["outstanding"] == "600.00"


def _timeline(sales: Person, customer_id: str, **query: Any) -> list[tuple[str, str]]:
    shown = sales.get(f"/customers/{customer_id}/timeline", **query)
    return [(one["kind"], one["event"]) for one in shown["items"]]


def _open(whole: Whole, link: str) -> httpx.Response:
    """As a browser or a calendar program does, without a token."""
    return httpx.get(f"{whole.system.gateway_url}{link}", trust_env=False)
