"""Rows with their problems in words, the error list, the template; and who may read them."""

import datetime as dt
import io
from urllib.parse import unquote

import pytest
from openpyxl import Workbook, load_workbook

from chassis.wording import Messages
from crm_import.kinds.customers import CUSTOMERS
from crm_import.results.model import RowResult
from crm_import.results.workbook import MOST_COMMENTS, Column, ErrorList, write_errors
from directory import store

BAD = ["坏公司=", "12", "文化", "=HYPERLINK(1)"]


@pytest.fixture
def sales(running):
    return running.member


def _sheet(reply) -> list[list[object]]:
    assert reply.status_code == 200, reply.text
    sheet = load_workbook(io.BytesIO(reply.data)).active
    return [list(row) for row in sheet.iter_rows(values_only=True)]


def test_the_error_list_keeps_the_columns_and_says_what_is_wrong_with_each_row(running, sales) -> None:
    job = running.imported(["甲", 13800138000, "其他", ""], BAD, ["甲", "", "", ""])

    reply = sales.get(f"/imports/{job['id']}/errors.xlsx", Accept_Language="zh")

    assert _sheet(reply) == [
        ["客户名称", "手机", "客户行业", "备注", "行号", "失败原因"],
        [
            "坏公司=",
            "12",
            "文化",
            "'=HYPERLINK(1)",
            3,
            "客户行业：系统中不存在该客户行业：文化。请改为系统中的选项，或先在系统中添加该选项；手机：手机号码格式不正确（12）",
        ],
    ]
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    disposition = reply.headers["Content-Disposition"]
    assert disposition.startswith("attachment;")
    assert unquote(disposition.rpartition("''")[2]) == "导入失败-客户.xlsx"


def test_skipped_rows_are_listed_when_asked_for_and_in_the_callers_language(running, sales) -> None:
    job = running.imported(["甲", 13800138000, "其他", ""], BAD, ["甲", "", "", ""])

    rows = _sheet(sales.get(f"/imports/{job['id']}/errors.xlsx?include=skipped", Accept_Language="en"))

    assert rows[0][-2:] == ["Row number", "Failure reason"]
    assert [row[-2] for row in rows[1:]] == [3, 4]
    assert rows[2][-1] == "Customer name：Repeats row 2（甲）"


def test_an_error_list_that_was_corrected_is_imported_again(running, sales) -> None:
    job = running.imported(BAD)
    book = load_workbook(io.BytesIO(sales.get(f"/imports/{job['id']}/errors.xlsx").data))
    book.active["A2"] = "好公司"
    content = io.BytesIO()
    book.save(content)

    again = sales.upload(content.getvalue()).json
    sales.post(again, "start")
    with running.workers():
        again = running.ended(again)

    assert again["created"] == 1
    assert running.customers.sent[-1]["remark"] == "=HYPERLINK(1)"


def test_cells_keep_their_looks_and_those_that_are_wrong_are_marked_with_the_reason(running, sales) -> None:
    book = Workbook()
    sheet = book.active
    sheet.append(["客户名称", "手机", "客户行业", "合作日期", "金额", "代号"])
    sheet.append(["坏公司", 12, "文化", dt.date(2026, 1, 5), 1234.5, "007"])
    sheet["D2"].number_format, sheet["E2"].number_format = "yyyy/mm/dd", "#,##0.00"
    sheet.column_dimensions["A"].width = 33
    content = io.BytesIO()
    book.save(content)
    job = sales.upload(content.getvalue()).json
    sales.post(job, "start")
    with running.workers():
        running.ended(job)

    reply = sales.get(f"/imports/{job['id']}/errors.xlsx", Accept_Language="zh")

    sheet = load_workbook(io.BytesIO(reply.data)).active
    name, mobile, industry, day, amount, number, row, _ = sheet[2]
    assert (day.value, day.number_format) == (dt.datetime(2026, 1, 5), "yyyy/mm/dd")  # noqa: DTZ001
    assert (amount.value, amount.number_format, number.value, number.number_format) == (1234.5, "#,##0.00", "007", "@")
    assert (mobile.value, mobile.number_format, row.value) == ("12", "@", 2)
    assert [cell.fill.fgColor.rgb for cell in (name, mobile, industry)] == ["00000000", "00FFC7CE", "00FFC7CE"]
    assert (name.comment, mobile.comment.text) == (None, "手机号码格式不正确")
    assert "系统中不存在该客户行业" in industry.comment.text
    assert (sheet.column_dimensions["A"].width, sheet.freeze_panes) == (33, "A2")
    again = sales.upload(reply.data).json
    assert [column["field"] for column in again["columns"]][-5:] == [None] * 5
    assert [cell["value"] for cell in again["preview"][0]["cells"]][:6] == [
        "坏公司",
        "12",
        "文化",
        "2026-01-05",
        "1234.5",
        "007",
    ]


def test_an_error_list_of_a_file_without_headers_names_the_fields(running, sales) -> None:
    job = sales.upload("坏公司,13800138000\n".encode(), "客户.csv").json
    job = sales.patch(job, mapping=[{"column": 0, "field": "name"}, {"column": 1, "field": "contact.mobile"}]).json
    sales.post(job, "start")
    with running.workers():
        running.ended(job)

    reply = sales.get(f"/imports/{job['id']}/errors.xlsx", Accept_Language="zh")

    assert _sheet(reply)[0] == ["客户名称", "手机", "行号", "失败原因"]
    assert [column["field"] for column in sales.upload(reply.data).json["columns"]] == [
        "name",
        "contact.mobile",
        None,
        None,
    ]


def test_comments_stop_where_they_would_fill_the_memory() -> None:
    problems = [{"field": "name", "code": "missing"}]
    failed = [
        RowResult(row_number=2 + n, outcome="failed", problems=problems, cells=[""]) for n in range(MOST_COMMENTS + 1)
    ]
    content = io.BytesIO()

    write_errors(
        content, ErrorList([Column("客户名称", "name")], CUSTOMERS, Messages(["crm_import"]), "zh", 9999), failed
    )

    cells = [row[0] for row in load_workbook(content).active.iter_rows(min_row=2)]
    assert [cell.comment is None for cell in cells[-2:]] == [False, True]
    assert {cell.fill.fgColor.rgb for cell in cells} == {"00FFC7CE"}


def test_an_error_list_that_is_cut_says_so() -> None:
    failed = [
        RowResult(row_number=number, outcome="failed", problems=[{"field": "", "code": "chunk_failed"}], cells=["甲"])
        for number in (2, 3)
    ]
    content = io.BytesIO()

    write_errors(content, ErrorList([Column("客户名称")], CUSTOMERS, Messages(["crm_import"]), "zh", most=1), failed)

    book = load_workbook(content)
    assert [sheet.max_row for sheet in book] == [2, 1]
    assert book.worksheets[1]["A1"].value == "只列出前 1 行；其余的行请改正后重新导入原文件"


def test_a_list_of_errors_without_any_has_only_its_header(running, sales) -> None:
    job = running.imported(["甲", 13800138000, "其他", ""])

    assert len(_sheet(sales.get(f"/imports/{job['id']}/errors.xlsx"))) == 1


def test_a_running_import_has_no_error_list_yet(sales) -> None:
    job = sales.started(["甲", 13800138000, "其他", ""])

    reply = sales.get(f"/imports/{job['id']}/errors.xlsx")

    assert (reply.status_code, reply.json["code"]) == (409, "import_not_settled")


def test_rows_are_paged_by_outcome_with_their_problems_in_words(running, sales) -> None:
    job = running.imported(*([f"坏{number}", str(number), "文化", ""] for number in range(5)), ["甲", "1", "其他", ""])
    path = f"/imports/{job['id']}/rows"

    page = sales.get(f"{path}?outcome=failed&page=2&page_size=2", Accept_Language="zh").json

    assert (page["total"], page["page"], len(page["items"])) == (5, 2, 2)
    first = page["items"][0]
    assert (first["row_number"], first["cells"]) == (4, ["坏2", "2", "文化", ""])
    assert first["problems"][1] == {
        "field": "contact.mobile",
        "field_label": "手机",
        "code": "mobile_invalid",
        "value": "2",
        "reason": "手机号码格式不正确",
        "message": "第4行 手机：手机号码格式不正确",
    }
    created = sales.get(f"{path}?outcome=created").json["items"]
    assert [(row["row_number"], row["record_id"]) for row in created] == [(7, running.customers.ids["甲"])]
    assert sales.get(f"{path}?outcome=nonsense").status_code == 422


def test_rows_are_found_by_their_problems_and_by_what_they_hold(running, sales) -> None:
    rows = [
        ["坏甲", "1", "文化", "A_b"],
        ["坏乙", "2", "文化", "a%B"],
        ["丙", "", "其他", "x"],
        ["丙", "", "其他", "ab"],
    ]
    job = running.imported(*rows)

    def found(query: str) -> list[int]:
        return [row["row_number"] for row in sales.get(f"/imports/{job['id']}/rows?{query}").json["items"]]

    assert found("field=industry") == [2, 3]
    assert found("code=repeated_in_file") == [5]
    assert found("field=industry&code=mobile_invalid") == []
    assert found("text=b") == [2, 3, 5]
    assert (found("text=%25b"), found("text=_"), found("text=文化&outcome=skipped")) == ([3], [2], [])
    assert sales.get(f"/imports/{job['id']}/rows?text={'x' * 101}").status_code == 422


def test_the_problems_of_most_rows_come_first(running, sales) -> None:
    options = ["文化", "农业", "文化", "文化", "农业", "渔业"]
    job = running.imported(*([f"坏{number}", "1", option, ""] for number, option in enumerate(options)), ["甲"], ["甲"])

    failed = sales.get(f"/imports/{job['id']}/problems", Accept_Language="zh").json["items"]
    skipped = sales.get(f"/imports/{job['id']}/problems?outcome=skipped", Accept_Language="zh").json["items"]

    assert [(one["code"], one["value"], one["rows"], one["first_row"]) for one in failed] == [
        ("mobile_invalid", "1", 6, 2),
        ("unknown_option", "文化", 3, 2),
        ("unknown_option", "农业", 2, 3),
        ("unknown_option", "渔业", 1, 7),
    ]
    assert (failed[1]["field_label"], failed[1]["reason"][:14]) == ("客户行业", "系统中不存在该客户行业：文化")
    assert [(one["rows"], one["reason"]) for one in skipped] == [(1, "与第8行重复")]
    written = sales.get(f"/imports/{job['id']}/problems?outcome=created", Accept_Language="zh")
    assert (written.status_code, written.json["errors"][0]["message"]) == (422, "只能是 'failed', 'skipped' 之一")


def test_the_template_offers_the_options_and_explains_each_field(imports, importer) -> None:
    sales = importer(imports, imports.organisation.sales)

    reply = sales.get("/import-templates/customers.xlsx", Accept_Language="zh")

    book = load_workbook(io.BytesIO(reply.data))
    header = [cell.value for cell in book["客户"][1]]
    assert header[:2] == ["客户名称*", "客户行业"]
    choices = {str(item.sqref): item.formula1 for item in book["客户"].data_validations.dataValidation}
    assert choices["B2:B5001"] == "options!$B$1:$B$4"
    assert [cell.value for cell in book["options"]["B"]][:4] == ["教育/培训", "电子商务", "对外贸易", "其他"]
    explained = [row[0].value for row in book["填写说明"].iter_rows(min_row=2)]
    assert [title.removesuffix("*") for title in header] == explained
    assert "%E5%AE%A2%E6%88%B7" in reply.headers["Content-Disposition"]


def test_a_filled_in_template_maps_itself(imports, importer) -> None:
    sales = importer(imports, imports.organisation.sales)
    for language, sheet in (("zh", "客户"), ("en", "Customers")):
        template = sales.get("/import-templates/customers.xlsx", Accept_Language=language)
        book = load_workbook(io.BytesIO(template.data))
        for column in range(1, book[sheet].max_column + 1):
            book[sheet].cell(2, column, "1")
        content = io.BytesIO()
        book.save(content)

        job = sales.upload(content.getvalue()).json

        fields = [column["field"] for column in job["columns"]]
        assert None not in fields
        assert len(set(fields)) == len(fields)
        assert sales.upload(template.data).json["code"] == "file_has_no_rows"


@pytest.mark.parametrize(
    "path",
    ["/imports/{id}/rows", "/imports/{id}/problems", "/imports/{id}/errors.xlsx", "/import-templates/customers.xlsx"],
)
def test_results_and_template_want_a_token_the_right_and_ones_own_import(imports, importer, path: str) -> None:
    sales = importer(imports, imports.organisation.sales)
    path = path.format(id=sales.uploaded(["甲", 13800138000, "其他", ""])["id"])
    colleague = importer(imports, imports.organisation.colleague)
    admin = importer(imports, imports.organisation.admin)

    if "{id}" in path or "/imports/" in path:
        assert colleague.get(path).status_code == 404
        assert admin.get(path).status_code != 404
    assert imports.client.get(f"/api/v1{path}").status_code == 401
    state = imports.organisation.role_state("sales")
    state.version = 2
    del state.permissions[:]
    with imports.database.transaction() as session:
        store.store_roles(session, [state])
    assert sales.get(path).status_code == 403
