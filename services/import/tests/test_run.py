"""A whole import through NATS and customer: every row gets its one result."""

import io
from collections import Counter
from pathlib import Path

import pytest
from openpyxl import Workbook
from sqlalchemy import select

from chassis.identifiers import new_id
from crm.common.v1.import_rows_pb2 import IMPORT_OUTCOME_CREATED, CreatedRows, ImportRowResult
from crm.customer.v1.customer_service_pb2 import BulkWriteCustomersResponse
from crm.imports.v1.imports_events_pb2 import ImportFinished, ProgressMade
from crm_import.results.model import RowResult

SOMEBODY = "01a20153-051c-776d-b719-e8552ec4eb5b"


@pytest.fixture
def sales(running):
    return running.member


def _rows(count: int) -> list[list[object]]:
    return [[f"公司{number}", 13800000000 + number, "其他", ""] for number in range(count)]


def _outcomes(running, job) -> dict[int, str]:
    with running.service.database.reading() as session:
        found = session.execute(select(RowResult.row_number, RowResult.outcome).where(RowResult.job_id == job["id"]))
        return {row.row_number: row.outcome for row in found}


def test_whoever_imports_is_told_of_the_progress_a_hundredth_at_a_time(running) -> None:
    running.configure(import_chunk_rows=1)
    job = running.imported(*_rows(205))

    made = running.service.outbox(ProgressMade)
    assert {(one.kind, one.id, one.member_id) for one in made} == {("import", job["id"], job["created_by"])}
    # Split, a hundred steps, ended.
    assert len(made) == 102


def test_every_row_gets_exactly_one_result_and_the_counts_add_up(running) -> None:
    running.customers.ids["已有"] = SOMEBODY
    rows = _rows(95)
    rows[20] = ["坏公司", "12", "文化", ""]
    rows[40] = ["已有", 13911111111, "其他", ""]
    rows[50] = ["公司 3", 13911111112, "其他", ""]  # repeats row 5 by name
    rows[60] = ["公司六十", "+86 138-0000-0000", "其他", ""]  # repeats row 2 by mobile
    rows[70] = []

    job = running.imported(*rows)

    assert (job["status"], job["percent"], job["total"]) == ("finished", 100, 94)
    assert (job["created"], job["updated"], job["skipped"], job["failed"]) == (90, 0, 3, 1)
    outcomes = _outcomes(running, job)
    assert sorted(outcomes) == [number for number in range(2, 97) if number != 72]
    assert Counter(outcomes.values()) == {"created": 90, "skipped": 3, "failed": 1}
    assert (outcomes[22], outcomes[42], outcomes[52], outcomes[62]) == ("failed", "skipped", "skipped", "skipped")
    (event,) = running.service.outbox(ImportFinished)
    assert (event.job.status, event.job.created, event.job.version) == ("finished", 90, job["version"])


def test_customer_gets_what_was_set_and_the_text_of_the_cells(running) -> None:
    job = running.imported(
        ["甲", 13800138000.0, "", True],
        mode="create_and_update",
        match_fields=["name"],
        clear_empty=True,
        target_pool_id=SOMEBODY,
    )

    (request,) = running.customers.requests
    assert (request.job_id, request.actor_id) == (job["id"], str(running.member.member.id))
    assert (list(request.match_fields), request.clear_empty, request.mode) == (["name"], True, 2)
    assert request.target_pool_id == SOMEBODY
    (row,) = running.member.get(f"/imports/{job['id']}/rows").json["items"]
    assert (row["owner_name"], row["pool_id"], row["pool_name"]) == (None, SOMEBODY, "华东公海")
    assert running.customers.sent[0] == {
        "name": "甲",
        "contact.mobile": "13800138000",
        "industry": "",
        "remark": "TRUE",
    }


@pytest.mark.parametrize("target_pool_id", [None, SOMEBODY], ids=["owned", "in_a_pool"])
def test_results_are_the_same_whether_customer_tells_created_rows_by_column_or_one_by_one(
    running, sales, target_pool_id
) -> None:
    running.customers.owners = {"公司1": SOMEBODY}
    told = []
    for by_column in (True, False):
        running.customers.by_column, running.customers.ids = by_column, {"公司3": SOMEBODY}
        job = running.imported(*_rows(25), ["坏", "1", "文化", ""], target_pool_id=target_pool_id)
        rows = sales.get(f"/imports/{job['id']}/rows?page_size=50").json["items"]
        ids = {id_: name for name, id_ in running.customers.ids.items()}
        told.append([{**row, "record_id": ids.get(row["record_id"])} for row in rows])
        assert (job["created"], job["skipped"], job["failed"]) == (24, 1, 1)

    assert told[0] == told[1]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({}, id="a_row_in_neither"),
        pytest.param({"results": [2, 3], "created": [3]}, id="a_row_in_both"),
        pytest.param({"created": [2, 2]}, id="a_row_twice"),
        pytest.param({"created": [2, 3, 4]}, id="a_row_that_was_not_sent"),
        pytest.param({"created": [2, 3], "ids": 1}, id="fewer_ids_than_rows"),
    ],
)
def test_answers_that_do_not_fit_the_rows_fail_them(running, sales, answer) -> None:
    created = answer.get("created", [])
    ids = [str(new_id()) for _ in range(answer.get("ids", len(created)))]
    results = [
        ImportRowResult(row_number=number, outcome=IMPORT_OUTCOME_CREATED, record_id=str(new_id()))
        for number in answer.get("results", ())
    ]
    groups = [CreatedRows(row_numbers=created, record_ids=ids, owner_id=SOMEBODY)]
    running.customers.answer = BulkWriteCustomersResponse(results=results, created=groups)

    job = running.handled(sales.started(*_rows(2)))

    rows = sales.get(f"/imports/{job['id']}/rows").json["items"]
    assert [problem["code"] for row in rows for problem in row["problems"]] == ["chunk_failed"] * 2


def test_updated_rows_are_counted_as_such(running) -> None:
    running.customers.ids["公司1"] = SOMEBODY

    job = running.imported(*_rows(3), mode="create_and_update")

    assert (job["created"], job["updated"]) == (2, 1)


def test_rows_without_the_demanded_mobile_or_with_error_cells_fail_without_being_sent(running, sales) -> None:
    book = Workbook()
    for row in (["客户名称", "手机", "备注"], ["甲", None, ""], ["乙", 13800138000, ""], ["丙", 13800138001, ""]):
        book.active.append(row)
    book.active["C4"] = "#N/A"
    book.active["C4"].data_type = "e"
    content = io.BytesIO()
    book.save(content)
    job = sales.upload(content.getvalue()).json
    sales.patch(job, mobile_required=True)
    sales.post(job, "start")

    with running.workers():
        job = running.ended(job)

    rows = sales.get(f"/imports/{job['id']}/rows?outcome=failed").json["items"]
    assert (job["created"], job["failed"]) == (1, 2)
    assert [problem["message"] for row in rows for problem in row["problems"]] == [
        "第2行 手机：手机号码不能为空",
        "第4行 备注：单元格是错误值 #N/A，请改正公式或填写数值",
    ]
    assert [texts["name"] for texts in running.customers.sent] == ["乙"]


def test_a_row_names_who_owns_what_it_created(running, sales) -> None:
    job = running.imported(["甲", 13800138000, "", ""])

    (row,) = sales.get(f"/imports/{job['id']}/rows").json["items"]
    assert (row["owner_id"], row["owner_name"], row["pool_name"]) == (str(sales.member.id), "张三", None)


def test_a_row_repeated_in_the_file_names_the_first_one(running, sales) -> None:
    job = running.imported(["甲", 13800138000, "", ""], [" 甲 ", "", "", ""])

    (row,) = sales.get(f"/imports/{job['id']}/rows?outcome=skipped").json["items"]
    assert (row["row_number"], row["problems"][0]["code"]) == (3, "repeated_in_file")
    assert row["problems"][0]["reason"] == "与第2行重复"


def test_records_of_one_name_are_no_repeats_when_each_has_its_id(running, sales, workbook) -> None:
    ids = [str(new_id()) for _ in range(2)]
    rows = [[ids[0], "甲"], [ids[1], "甲"], [ids[1], "乙"], ["", "甲"]]
    job = sales.upload(workbook(["ID", "客户名称"], *rows)).json
    sales.post(job, "start")

    with running.workers():
        running.ended(job)

    repeats = sales.get(f"/imports/{job['id']}/rows?code=repeated_in_file").json["items"]
    assert [(row["row_number"], row["problems"][0]["reason"]) for row in repeats] == [
        (4, "与第3行重复"),
        (5, "与第2行重复"),
    ]


def test_rows_with_the_same_nonsense_for_a_mobile_are_no_repeats(running) -> None:
    job = running.imported(["甲", "无", "", ""], ["乙", "无", "", ""])

    assert (job["created"], job["skipped"]) == (2, 0)


def test_too_many_rows_fail_the_job_and_say_so(running) -> None:
    running.configure(import_max_rows=20)

    job = running.imported(*_rows(21))

    assert (job["status"], job["failure_code"], job["total"]) == ("failed", "too_many_rows", 0)
    assert job["failure_message"] == "文件最多 20 行数据，请拆成多个文件后再导入"
    assert [event.job.failure_code for event in running.service.outbox(ImportFinished)] == ["too_many_rows"]


def test_a_csv_file_in_gb18030_with_line_breaks_in_cells_is_imported_whole(running, sales) -> None:
    text = '客户名称;手机;备注\r\n"甲;公司";13800138000;"一\r\n二"\r\n\r\n乙公司;13800138001;"说""好"""\r\n'
    job = sales.upload(text.encode("gb18030"), "客户.csv").json
    sales.post(job, "start")

    with running.workers():
        job = running.ended(job)

    (request,) = running.customers.requests
    assert request.row_numbers == [2, 4]
    assert [texts["remark"] for texts in running.customers.sent] == ["一\r\n二", '说"好"']
    assert running.customers.sent[0]["name"] == "甲;公司"
    assert job["created"] == 2


def test_an_old_excel_file_is_read_like_a_new_one(running, sales) -> None:
    content = Path(__file__).with_name("data").joinpath("old.xls").read_bytes()
    job = sales.upload(content, "客户.xls").json
    sales.post(job, "start")

    with running.workers():
        job = running.ended(job)

    assert job["created"] == 1
    assert running.customers.sent[0] == {
        "name": "甲",
        "contact.mobile": "13800138000",
        "remark": "2026-01-02",
    }
