"""How a file is read: what is found out, what is shown of it, and what may be said instead (D-16)."""

import io

import pytest
from openpyxl import Workbook

from crm.customer.v1 import customer_service_pb2 as pb

SINCE = pb.ListCustomFieldsResponse(
    fields=[pb.CustomField(key="since", label_zh="合作日期", label_en="Since", kind="date")]
)


def _headers(job) -> list[str]:
    return [column["header"] for column in job["columns"]]


def _values(job) -> list[list[str]]:
    return [[cell["value"] for cell in row["cells"]] for row in job["preview"]]


def test_the_first_rows_are_shown_as_they_will_be_read(sales, workbook) -> None:
    rows = [[f"甲{number}", 13800138000 + number, f"００{number}"] for number in range(12)]

    job = sales.upload(workbook(["客户名称", "手机", "备注"], *rows[:2], [], ["乙", "1.38E+10"], *rows[2:])).json

    assert [row["row_number"] for row in job["preview"]] == [2, 3, *range(5, 13)]
    assert _values(job)[:2] == [["甲0", "13800138000", "００0"], ["甲1", "13800138001", "００1"]]
    assert job["preview"][2]["cells"][1] == {"value": "1.38E+10", "problem": "digits_lost"}
    other = sales.patch(job, mapping=[{"column": 0, "field": "name"}, {"column": 2, "field": "contact.mobile"}]).json
    assert _values(other)[0] == ["甲0", "13800138000", "000"]
    assert "preview" not in sales.get("/imports").json["items"][0]


def test_a_file_without_a_header_has_columns_called_by_letters(running) -> None:
    sales = running.member
    job = sales.upload("甲公司,13800138000,x\n乙公司,13800138001\n".encode(), "客户.csv").json

    assert (job["header_row"], _headers(job), len(job["preview"])) == (0, ["A", "B", "C"], 2)
    assert [column["field"] for column in job["columns"]] == [None, "contact.mobile", None]
    with_header = sales.patch(job, header_row=1).json
    assert (_headers(with_header), len(with_header["preview"])) == (["甲公司", "13800138000", "x"], 1)
    job = sales.patch(with_header, header_row=0).json
    job = sales.patch(job, mapping=[{"column": 0, "field": "name"}, {"column": 1, "field": "contact.mobile"}]).json
    sales.post(job, "start")
    with running.workers():
        assert running.ended(job)["created"] == 2
    assert sales.get(f"/imports/{job['id']}/rows").json["items"][0]["row_number"] == 1


def test_an_unknown_header_of_words_is_a_header(sales, workbook) -> None:
    assert sales.upload(workbook(["甲", "乙"], ["1", "2"])).json["header_row"] == 1


@pytest.mark.parametrize(
    ("text", "quote", "rows"),
    [
        ('客户名称,备注\n"甲,乙","说 ""好"""\n', '"', [["甲,乙", '说 "好"']]),
        ("客户名称,备注\n'甲,乙','x'\n'丙','y'\n", "'", [["甲,乙", "x"], ["丙", "y"]]),
        ('客户名称,备注\n甲,5" 管\n"乙 公司,x\n', "none", [["甲", '5" 管'], ['"乙 公司', "x"]]),
        ("客户名称,备注\n甲,it's\n", '"', [["甲", "it's"]]),
    ],
)
def test_the_quotes_around_values_are_found(sales, text: str, quote: str, rows: list[list[str]]) -> None:
    job = sales.upload(text.encode(), "客户.csv").json

    assert (job["quote"], _values(job)) == (quote, rows)


def test_other_quotes_are_read_otherwise_and_an_open_one_is_refused(sales) -> None:
    job = sales.upload('客户名称,备注\n"甲",x\n"乙,y\n丙,z\n'.encode(), "客户.csv")

    assert (job.status_code, job.json["code"]) == (422, "csv_broken")
    job = sales.upload('客户名称,备注\n"甲",x\n'.encode(), "客户.csv").json
    assert _values(sales.patch(job, quote="none").json) == [['"甲"', "x"]]


@pytest.mark.parametrize(
    ("days", "order", "first"),
    [
        (["05/01/2026", "13/01/2026"], "dmy", "2026-01-05"),
        (["05/01/2026", "01/13/2026"], "mdy", "2026-05-01"),
        (["2026/1/5", "2026年1月6日"], None, "2026-01-05"),
    ],
)
def test_the_order_of_days_is_found_in_the_column(sales, customers, workbook, days, order, first: str) -> None:
    customers[0].custom_fields = SINCE

    job = sales.upload(workbook(["客户名称", "合作日期"], *(["甲", day] for day in days))).json

    assert (job["date_order"], _values(job)[0][1], job["columns"][1]["days"]) == (order, first, None)
    assert sales.post(job, "start").status_code == 200


def test_an_order_that_nobody_can_tell_is_asked_for_with_both_readings(sales, customers, workbook) -> None:
    customers[0].custom_fields = SINCE
    content = workbook(["客户名称", "合作日期", "备注"], ["甲", "05/01/2026 00:00", "06/01/2026"])
    job = sales.upload(content).json

    refused = sales.post(job, "start")
    with_order = sales.patch(job, date_order="dmy").json

    assert job["columns"][1]["days"] == {"value": "05/01/2026 00:00", "mdy": "2026-05-01", "dmy": "2026-01-05"}
    assert (refused.status_code, refused.json["code"]) == (422, "date_order_unknown")
    assert refused.json["errors"][0]["pointer"] == "/date_order"
    assert (_values(with_order)[0], with_order["columns"][1]["days"]) == (["甲", "2026-01-05", "06/01/2026"], None)
    assert sales.post(with_order, "start").status_code == 200


def test_days_that_fill_no_field_of_days_ask_nobody(sales, workbook) -> None:
    job = sales.upload(workbook(["客户名称", "备注"], ["甲", "05/01/2026"])).json

    assert sales.post(job, "start").status_code == 200


def test_ragged_rows_are_read_and_those_with_cells_beyond_the_columns_fail(running) -> None:
    text = "客户名称,手机,备注\n甲\n乙,13800138000,江苏,苏州\n丙,,,,\n,,\n\n"
    job = running.member.upload(text.encode(), "客户.csv").json
    running.member.post(job, "start")
    with running.workers():
        job = running.ended(job)

    assert (job["total"], job["created"], job["failed"]) == (3, 2, 1)
    failed = running.member.get(f"/imports/{job['id']}/rows?outcome=failed").json["items"][0]
    assert (failed["row_number"], failed["problems"][0]["code"]) == (3, "too_many_cells")


def test_titles_over_several_columns_are_passed_over(sales) -> None:
    book = Workbook()
    for row in (
        ["客户登记表"],
        ["填表人：张三", None, "2026-01-05"],
        ["基本信息", None, None],
        ["客户名称", "手机", "备注"],
        ["甲", "1", "x"],
    ):
        book.active.append(row)
    book.active.merge_cells("A1:C1")
    content = io.BytesIO()
    book.save(content)

    job = sales.upload(content.getvalue()).json

    assert (job["header_row"], _values(job)) == (4, [["甲", "1", "x"]])
