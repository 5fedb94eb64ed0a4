"""kill -9 of workers, of the customer service and of PostgreSQL, twenty times in one import: nothing lost, nothing twice."""

import random

import pytest

from highsea_local.demo import steps
from highsea_local.demo.companies import rows
from highsea_local.demo.gateway import until
from highsea_local.demo.workbook import workbook_bytes
from tests.support.whole import Whole

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]
ROWS, KILLS = 20_000, 20
VICTIMS = ("import-process", "import-work", "customer-bulk", "customer-work", "pool-serve", "pool-work", "postgres")
_SURE = VICTIMS * (KILLS // len(VICTIMS))


def test_an_import_of_twenty_thousand_rows_survives_twenty_kills(whole: Whole) -> None:
    chance = random.Random(20)
    victims = chance.sample([*_SURE, *chance.choices(VICTIMS, k=KILLS - len(_SURE))], KILLS)
    operations = whole.person("operations")
    job = operations.upload("/imports", "两万行.xlsx", workbook_bytes(rows(ROWS, 7, "杀")))
    mapping = [{"column": c["index"], "field": c["field"]} for c in job["columns"] if c["field"]]
    settings = {"mapping": mapping, "mode": "create_only", "target_pool_id": whole.pool()["id"]}
    job = operations.patch(f"/imports/{job['id']}", settings, job["version"])
    operations.post(f"/imports/{job['id']}:start")

    def now() -> dict[str, int | str]:
        found: dict[str, int | str] = operations.get(f"/imports/{job['id']}")
        return found

    for number, victim in enumerate(victims):
        until(lambda number=number: now()["created"] >= number * ROWS * 0.5 // KILLS, 180)  # type: ignore[misc, operator]
        process = whole.system.process(victim)
        until(lambda process=process: process.pid)  # type: ignore[misc]
        assert until(now)["status"] not in steps.FINISHED, "killed too late to show anything"
        process.kill()
    until(lambda: now()["status"] in steps.FINISHED, 300)

    ended = until(now)
    assert (ended["status"], ended["total"], ended["failed"]) == ("finished", ROWS, 0)
    assert ended["created"] + ended["updated"] + ended["skipped"] == ROWS
    results = whole.rows(
        "import",
        "SELECT count(*) AS results, count(DISTINCT row_number) AS rows, min(row_number) AS first,"
        " max(row_number) AS last, count(DISTINCT customer_id) FILTER (WHERE outcome = 'created') AS created"
        " FROM row_results WHERE job_id = %s",
        [job["id"]],
    )[0]
    assert results == {"results": ROWS, "rows": ROWS, "first": 2, "last": ROWS + 1, "created": ended["created"]}
    made = "SELECT count(*) AS customers, count(DISTINCT source_row) AS rows FROM customers WHERE source_job = %s"
    assert whole.rows("customer", made, [job["id"]])[0] == {"customers": ended["created"], "rows": ended["created"]}
    ids = [row["id"] for row in whole.rows("customer", "SELECT id FROM customers WHERE source_job = %s", [job["id"]])]
    placed = "SELECT count(*) AS placed FROM assignments WHERE customer_id = ANY (%s) AND version = 1"
    until(lambda: whole.rows("pool", placed, [ids])[0] == {"placed": len(ids)})
