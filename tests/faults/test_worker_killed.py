"""kill -9 of a chunk worker in the middle of a large import: nothing lost, nothing twice."""

import pytest

from highsea_local.demo import steps
from highsea_local.demo.companies import rows
from highsea_local.demo.gateway import until
from highsea_local.demo.workbook import workbook_bytes
from tests.support.whole import Whole

pytestmark = pytest.mark.system
ROWS = 10_000


def test_an_import_of_ten_thousand_rows_survives_kills_of_its_worker(whole: Whole) -> None:
    operations = whole.person("operations")
    content = workbook_bytes(rows(ROWS, 7, "杀"))
    job = operations.upload("/imports", "一万行.xlsx", content)
    mapping = [{"column": c["index"], "field": c["field"]} for c in job["columns"] if c["field"]]
    settings = {"mapping": mapping, "mode": "create_only", "target_pool_id": whole.pool()["id"]}
    job = operations.patch(f"/imports/{job['id']}", settings, job["version"])
    operations.post(f"/imports/{job['id']}:start")
    path = f"/imports/{job['id']}"

    for done in (1, ROWS // 2):
        until(lambda done=done: operations.get(path)["created"] >= done, 120)  # type: ignore[misc]
        assert operations.get(path)["status"] not in steps.FINISHED, "killed too late to show anything"
        whole.system.process("import-process").kill()
    until(lambda: operations.get(path)["status"] in steps.FINISHED, 240)

    ended = operations.get(path)
    assert ended["status"] == "finished"
    assert ended["total"] == ROWS
    assert ended["created"] + ended["updated"] + ended["skipped"] + ended["failed"] == ROWS
    results = whole.rows(
        "import",
        "SELECT count(*) AS results, count(DISTINCT row_number) AS rows, min(row_number) AS first,"
        " max(row_number) AS last FROM row_results WHERE job_id = %s",
        [job["id"]],
    )[0]
    assert results == {"results": ROWS, "rows": ROWS, "first": 2, "last": ROWS + 1}
    made = whole.rows(
        "customer",
        "SELECT count(*) AS customers, count(DISTINCT source_row) AS rows FROM customers WHERE source_job = %s",
        [job["id"]],
    )[0]
    assert made == {"customers": ended["created"], "rows": ended["created"]}
