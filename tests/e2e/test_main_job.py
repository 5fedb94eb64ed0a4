"""The main job as people do it, through the gateway alone."""

import io
from typing import Any

import openpyxl
import pytest

from highsea_local.demo import seed, steps, story
from highsea_local.demo.workbook import BUNDLED, demo_rows
from tests.support.whole import Whole

pytestmark = pytest.mark.system


@pytest.fixture(scope="session")
def imported(whole: Whole) -> steps.Imported:
    """The bundled workbook, imported by operations into the public pool."""
    return steps.import_workbook(whole.person("operations"), "customers.xlsx", BUNDLED.read_bytes(), whole.pool()["id"])


def test_the_bundled_workbook_is_what_its_generator_makes() -> None:
    sheet: Any = openpyxl.load_workbook(BUNDLED, read_only=True).active
    found = [[str(cell or "").strip() for cell in row] for row in sheet.iter_rows(min_row=2, values_only=True)]

    assert found == [[str(cell or "").strip() for cell in row.cells] for row in demo_rows()]


def test_created_skipped_and_failed_rows_add_up_to_the_rows_of_the_file(imported: steps.Imported) -> None:
    job = imported.job

    assert job["status"] == "finished"
    assert job["total"] == 1000
    assert job["created"] + job["updated"] + job["skipped"] + job["failed"] == 1000
    assert (job["skipped"], job["failed"]) == (8, 17)


def test_the_error_workbook_names_row_column_value_and_reason_of_each_failed_row(imported: steps.Imported) -> None:
    sheet: Any = openpyxl.load_workbook(io.BytesIO(imported.error_workbook), read_only=True).active
    lines = [" | ".join(str(cell or "") for cell in row) for row in sheet.iter_rows(values_only=True)]

    assert len(lines) == 1 + 17
    by_row = {number: line for line in lines[1:] for number in (98, 19) if f"| {number} |" in f"| {line} |"}
    assert "互联网" in by_row[98]
    assert "客户行业" in by_row[98]
    assert "1380013800" in by_row[19]
    assert "手机" in by_row[19]


def test_imported_customers_lie_in_the_public_pool_with_hidden_phones(whole: Whole, imported: steps.Imported) -> None:
    page = whole.person("sales").get("/customers", pool_id=whole.pool()["id"], page_size=200)

    assert page["total"] >= imported.job["created"] - 100
    assert all("****" in (row["contact"] or {}).get("mobile", "****") for row in page["items"])


def test_whoever_started_an_import_is_told_of_its_end(whole: Whole, imported: steps.Imported) -> None:
    notifications = steps.unread(whole.person("operations"))

    assert any(str(imported.job["created"]) in str(item) for item in notifications)


def test_the_story_from_import_to_being_told_by_mail_ends_well(
    whole: Whole, capsys: pytest.CaptureFixture[str]
) -> None:
    story.tell(whole.system.gateway_url, [{**one, "password": seed.PASSWORD} for one in whole.logins])

    assert "409 already_owned" in capsys.readouterr().out
