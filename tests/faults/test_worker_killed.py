"""kill -9 of a worker in the middle of a dispatch: nothing lost, nothing twice."""

import psycopg
import pytest

from highsea_local.demo import steps
from highsea_local.demo.companies import rows
from highsea_local.demo.gateway import until
from highsea_local.demo.workbook import workbook_bytes
from tests.support.whole import Whole

pytestmark = pytest.mark.system
DISPATCHED = 500


def test_a_dispatch_whose_worker_is_killed_gives_each_customer_one_task(whole: Whole) -> None:
    operations = whole.person("operations")
    content = workbook_bytes(rows(DISPATCHED, 11, "派"))
    job = operations.upload("/imports", "下发.xlsx", content)
    mapping = [{"column": c["index"], "field": c["field"]} for c in job["columns"] if c["field"]]
    settings = {"mapping": mapping, "mode": "create_only", "target_pool_id": whole.pool()["id"]}
    job = operations.patch(f"/imports/{job['id']}", settings, job["version"])
    operations.post(f"/imports/{job['id']}:start")
    until(lambda: operations.get(f"/imports/{job['id']}")["status"] in steps.FINISHED, 120)
    made = whole.rows("customer", "SELECT id::text FROM customers WHERE source_job = %s ORDER BY id", [job["id"]])
    customer_ids = [row["id"] for row in made]
    handler_ids = [whole.person("sales", place).id for place in (0, 1)]

    # The second page of the batch meets a customer that somebody else holds, and so is under way when its worker dies.
    with psycopg.connect(whole.system.database_url("customer")) as holding:
        holding.execute("SELECT 1 FROM customers WHERE id = %s FOR UPDATE", [customer_ids[300]])
        body = {"subject": "回访", "kind": "call", "customer_ids": customer_ids, "handler_ids": handler_ids}
        dispatch = operations.post("/tasks:dispatch", body)
        path = f"/tasks/dispatches/{dispatch['id']}"
        until(lambda: operations.get(path)["tasks"]["open"] > 0, 60)
        assert operations.get(path)["running"]
        whole.system.process("customer-work").kill()
    until(lambda: not operations.get(path)["running"], 120)

    assert len(customer_ids) == operations.get(path)["tasks"]["open"] == operations.get(path)["customers"]
    given = whole.rows(
        "customer",
        "SELECT count(*) AS tasks, count(DISTINCT customer_id) AS customers FROM tasks WHERE dispatch_id = %s",
        [dispatch["id"]],
    )[0]
    assert given == {"tasks": len(customer_ids), "customers": len(customer_ids)}
    handlers = {one["handler"]["id"]: one["tasks"]["open"] for one in operations.get(path)["handlers"]}
    assert handlers == dict.fromkeys(handler_ids, len(customer_ids) // 2)
