"""Cells as people in China have them: what is put right, what is refused, and what is left as it is."""

import datetime as dt
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from crm.customer.v1 import customer_service_pb2 as pb
from crm_import.kinds.customers import CUSTOMERS
from crm_import.kinds.kind import Form
from crm_import.mapping.forms import DateOrder, DigitsLost, Typing, date_orders
from crm_import.mapping.rules import date_order_of
from crm_import.reading.cells import clean, text_of
from crm_import.reading.workbook_xml import column_letters


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (13800138000.0, "13800138000"),
        (1.10101199001011e17, "1.10101199001011E+17"),
        (0.1 + 0.2, "0.3"),
        (-1.5, "-1.5"),
        (1e-7, "1E-07"),
        (True, "TRUE"),
        (dt.date(2026, 1, 5), "2026-01-05"),
        (dt.datetime(2026, 1, 5, 14, 30), "2026-01-05 14:30:00"),  # noqa: DTZ001
        (dt.time(3, 4), "03:04:00"),
        ("\ufeff 甲\u200b公\u00a0司\u2060\u3000", "甲公 司"),
        ("\u202a13800138000\u202c", "13800138000"),
        ("𠮷野家 𪚥 👨‍👩‍👧 ❤️", "𠮷野家 𪚥 👨‍👩‍👧 ❤️"),
        ("क\u200d甲", "क甲"),
        ("一号楼\n二层", "一号楼\n二层"),
    ],
)
def test_a_value_becomes_the_text_that_a_person_would_type(value: object, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("13800138000", "13800138000"),
        ("13800138000.0", "13800138000"),
        ("1.3800138E+10", "13800138000"),
        ("1.3800138001e10", "13800138001"),
        ("１３８００１３８０００", "13800138000"),
        ("138—0013–8000", "138-0013-8000"),
        ("+86 138 0013 8000", "+86 138 0013 8000"),
        ("021-5888 8888转801", "021-5888 8888转801"),
        ("无", "无"),
    ],
)
def test_digits_are_read_whatever_a_spreadsheet_has_made_of_them(text: str, typed: str) -> None:
    assert Typing({"phone": Form.DIGITS}).typed("phone", text) == typed


@pytest.mark.parametrize("text", ["1.38E+10", "1.38001E+10", "1.10101199001011E+17", "１.３８Ｅ＋１０", "1E+10"])
def test_a_number_that_has_lost_digits_is_no_number(text: str) -> None:
    with pytest.raises(DigitsLost):
        Typing({"phone": Form.DIGITS}).typed("phone", text)
    assert Typing().typed("remark", text) == text


def test_a_zero_that_a_number_has_lost_is_not_guessed() -> None:
    forms = {field.name: field.form for field in CUSTOMERS.fields}

    assert Typing(forms).typed("postcode", "31000.0") == "31000"
    assert Typing(forms).typed("profile.billing_postcode", "94103.0") == "94103"


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-05", "2026/1/5", "2026.1.5", "2026年1月5日", "２０２６年１月５日", "20260105", "2026-01-05 00:00:00",
        "2026/1/5 14:30", "01/05/2026", "1/5/2026 12:00 am", "01/05/2026 02:30pm", "46027", "46027.604166",
        "2026年1月5日 下午2:30", "2026-01-05T14:30:00",
    ],
)  # fmt: skip
def test_a_day_is_read_in_every_usual_form(text: str) -> None:
    assert Typing({"day": Form.DAY}, DateOrder.MONTH_FIRST).typed("day", text) == "2026-01-05"


@pytest.mark.parametrize(
    "text",
    ["2026", "2026-13-01", "2026-02-30", "13/13/2026", "2026-01-05 25:00", "2026-01-05 x", "5.1", "1/5/26", "明天"],
)
def test_what_is_no_day_stays_as_it_is(text: str) -> None:
    assert Typing({"day": Form.DAY}, DateOrder.MONTH_FIRST).typed("day", text) == text


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("01/05/2026 02:30 pm", "2026-01-05 14:30:00"),
        ("01/05/2026 12:05am", "2026-01-05 00:05:00"),
        ("01/05/2026 12:05 PM", "2026-01-05 12:05:00"),
        ("2026/1/5 上午9:05:07", "2026-01-05 09:05:07"),
        ("2026-01-05", "2026-01-05 00:00:00"),
        ("46027.5", "2026-01-05 12:00:00"),
    ],
)
def test_a_moment_keeps_its_time(text: str, moment: str) -> None:
    assert Typing({"at": Form.MOMENT}, DateOrder.MONTH_FIRST).typed("at", text) == moment


def test_a_number_of_days_counts_from_1904_where_the_workbook_does() -> None:
    assert Typing({"day": Form.DAY}, from_1904=True).typed("day", "44565") == "2026-01-05"


def test_a_year_that_comes_last_is_read_in_the_files_own_order_or_not_at_all() -> None:
    either, settled = sorted(date_orders("05/01/2026 10:00")), sorted(date_orders("13/01/2026"))

    assert (either, settled, date_orders("21/40/2026")) == (["dmy", "mdy"], ["dmy"], set())
    assert date_order_of([{"date_orders": either}, {}, {"date_orders": settled}]) == "dmy"
    assert date_order_of([{"date_orders": settled}, {"date_orders": ["mdy"]}]) is None
    assert date_order_of([{"date_orders": []}, {}]) is None
    assert Typing({"day": Form.DAY}, DateOrder.DAY_FIRST).typed("day", "05/01/2026") == "2026-01-05"
    assert Typing({"day": Form.DAY}).typed("day", "05/01/2026") == "05/01/2026"


@settings(max_examples=300, derandomize=True, database=None)
@given(
    st.sampled_from(list(Form)),
    st.sampled_from([None, *DateOrder]),
    st.one_of(st.text(), st.from_regex(r"[0-9０-９./年月日:E+ apm-]{1,25}", fullmatch=True)),
)
def test_whatever_a_cell_holds_is_read_once_and_for_all(form: Form, order: str | None, text: str) -> None:
    typing = Typing({"x": form}, order)
    try:
        typed = typing.typed("x", clean(text))
    except DigitsLost:
        return
    assert typing.typed("x", typed) == typed


def test_what_is_put_right_is_written_and_what_is_lost_is_refused_with_what_to_do(running) -> None:
    running.customers.custom_fields = pb.ListCustomFieldsResponse(
        fields=[pb.CustomField(key="since", label_zh="合作日期", label_en="Since", kind="date")]
    )
    book = Workbook()
    for row in (
        ["客户名称", "手机", "邮编", "QQ", "合作日期"],
        ["甲\u200b公司", 13800138000, 310020, "１２３４５", dt.date(2026, 1, 5)],
        ["𠮷野家", "1.3800138001E+10", "", "", 46027],
        ["丙公司", "1.38E+10", "", "", ""],
    ):
        book.active.append(row)
    book.active["B2"].number_format = "0.00E+00"
    content = io.BytesIO()
    book.save(content)

    job = running.member.upload(content.getvalue()).json
    running.member.post(job, "start")
    with running.workers():
        running.ended(job)

    written = running.customers.sent
    first = {
        "name": "甲公司", "contact.mobile": "13800138000", "postcode": "310020", "contact.qq": "12345",
        "custom.since": "2026-01-05",
    }  # fmt: skip
    assert written[0] == first
    assert written[1] | {"name": "𠮷野家", "contact.mobile": "13800138001", "custom.since": "2026-01-05"} == written[1]
    failed = running.member.get(f"/imports/{job['id']}/rows?outcome=failed", Accept_Language="zh").json["items"]
    assert [(row["row_number"], row["cells"][1], row["problems"][0]["code"]) for row in failed] == [
        (4, "1.38E+10", "digits_lost")
    ]
    assert "设为文本格式" in failed[0]["problems"][0]["message"]


@pytest.mark.parametrize("epoch", [None, CALENDAR_MAC_1904])
def test_dates_of_both_calendars_of_excel_are_the_same_days(sales, epoch: dt.datetime | None) -> None:
    book = Workbook()
    if epoch:
        book.epoch = epoch
    book.active.append(["客户名称", "备注"])
    book.active.append(["甲", dt.date(2026, 1, 5)])
    content = io.BytesIO()
    book.save(content)

    assert sales.upload(content.getvalue()).json["columns"][1]["sample"] == "2026-01-05"


def test_what_an_error_list_puts_before_a_formula_is_taken_away_again() -> None:
    assert clean("\u200b'=1+1 ") == "=1+1"


@pytest.mark.parametrize(
    ("index", "letters"), [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA"), (16_383, "XFD")]
)
def test_columns_are_called_as_a_spreadsheet_calls_them(index: int, letters: str) -> None:
    assert column_letters(index) == letters
