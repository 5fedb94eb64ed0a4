"""What may be uploaded, what is guessed, and how every ugly file is refused."""

import io
import zipfile
from typing import Any
from uuid import UUID

import pytest
from openpyxl import Workbook
from prometheus_client import REGISTRY
from sqlalchemy import func, select

from chassis.database import migration, tables
from crm_import.jobs.due import MEASURE_JOBS
from crm_import.jobs.model import ImportJob
from crm_import.service import SERVICE

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
TEXT = '客户名称,手机号码,公司地址\r\n甲公司,13800138000,"一号楼\n二层, 三室"\r\n'


def _saved(book: Workbook) -> bytes:
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _with_member(content: bytes, name: str, member: bytes) -> bytes:
    grown = io.BytesIO(content)
    with zipfile.ZipFile(grown, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, member)
    return grown.getvalue()


def _sparse() -> bytes:
    book = Workbook()
    book.active["A1"], book.active["XFD1048576"] = "客户名称", 1
    return _saved(book)


def test_models_and_migrations_agree(imports) -> None:
    with imports.database.engine.connect() as connection:
        metadatas = [tables.metadata, *SERVICE.metadatas]

        assert migration.schema_differences(connection, metadatas) == []


def test_an_uploaded_workbook_shows_its_columns_first_row_and_guessed_mapping(sales, workbook) -> None:
    content = workbook(
        ["＊客户名称（必填）", "所属行业", "联系人", "手机号", "省", "城市", "地址", "跟进人", "内部编码"],
        ["甲公司", "电子商务", "张经理", 13800138000, "江苏省", "苏州市", "一号楼", "李四", "X-1"],
    )

    reply = sales.upload(content, "一月客户.xlsx")

    assert reply.status_code == 201
    assert reply.headers["ETag"] == '"1"'
    job = reply.json
    assert (job["status"], job["file_name"], job["rows_estimate"]) == ("uploaded", "一月客户.xlsx", 1)
    assert [column["field"] for column in job["columns"]] == [
        "name", "industry", "contact.name", "contact.mobile", "province", "city", "address_detail", "owner", None,
    ]  # fmt: skip
    assert job["columns"][3] | {"index": 3} == {
        "index": 3, "header": "手机号", "sample": "13800138000", "field": "contact.mobile", "field_label": "手机",
        "days": None,
    }  # fmt: skip
    assert (job["mode"], job["match_fields"]) == ("create_only", ["contact.mobile", "name"])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "gb18030"])
def test_a_csv_file_is_read_in_every_usual_encoding(sales, encoding: str) -> None:
    reply = sales.upload(TEXT.encode(encoding), "客户.csv")

    assert reply.status_code == 201
    assert [column["header"] for column in reply.json["columns"]] == ["客户名称", "手机号码", "公司地址"]
    assert [column["sample"] for column in reply.json["columns"]] == ["甲公司", "13800138000", "一号楼\n二层, 三室"]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_a_csv_files_delimiter_is_found(sales, delimiter: str) -> None:
    content = f"客户名称{delimiter}手机\n甲, 乙公司{delimiter}13800138000\n".encode()

    job = sales.upload(content, "客户.csv").json

    assert job["delimiter"] == delimiter
    assert [column["sample"] for column in job["columns"]] == ["甲, 乙公司", "13800138000"]


def test_the_header_is_found_below_a_merged_title(sales) -> None:
    book = Workbook()
    for row in (
        ["华东区客户登记表"],
        [],
        ["客户", None, "首要联系人"],
        ["客户名称", "客户行业", "手机"],
        ["甲", "其他", 1],
    ):
        book.active.append(row)
    book.active.merge_cells("A1:C1")
    book.active.merge_cells("A3:B3")

    job = sales.upload(_saved(book)).json

    assert job["header_row"] == 4
    assert [column["field"] for column in job["columns"]] == ["name", "industry", "contact.mobile"]


def test_a_phone_column_that_holds_mobiles_is_the_mobile(sales, workbook) -> None:
    with_mobiles = sales.upload(workbook(["公司", "联系电话"], ["甲", "138 0013 8000"])).json
    with_landlines = sales.upload(workbook(["公司", "联系电话"], ["甲", "021-1234567"])).json

    assert with_mobiles["columns"][1]["field"] == "contact.mobile"
    assert with_landlines["columns"][1]["field"] == "contact.phone"


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.xlsx", b"", "file_empty"),
        ("a.pdf", b"%PDF-1.4", "file_type_not_supported"),
        ("noextension", b"x", "file_type_not_supported"),
        ("a.xlsx", b"name,mobile\n1,2\n", "file_content_mismatch"),
        ("a.csv", b"PK\x03\x04" + bytes(50), "file_content_mismatch"),
        ("a.csv", b"a,b\n" + bytes(range(256)) * 20, "file_content_mismatch"),
        ("a.xls", b"<html><table>", "file_content_mismatch"),
        ("a.xlsx", bytes(range(256)) * 20_000, "file_content_mismatch"),
        ("a.xlsx", OLE + bytes(600) + "EncryptedPackage".encode("utf-16-le") + bytes(600), "file_encrypted"),
        ("a.xls", OLE + bytes(600) + "_VBA_PROJECT".encode("utf-16-le") + bytes(600), "file_has_macros"),
        ("a.xls", OLE + bytes(2000), "file_damaged"),
        ("a.xlsm", b"PK\x03\x04", "file_has_macros"),
        ("a.csv", "客户名称,手机\n".encode(), "file_has_no_rows"),
        ("a.csv", b"\n\n,,\n", "file_empty"),
        ("a.csv", "客户名称\n".encode() + b'"' + b"x" * 1_100_000, "csv_broken"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_is_no_table_is_refused_with_what_to_do(sales, name: str, content: bytes, code: str) -> None:
    reply = sales.upload(content, name)

    assert (reply.status_code, reply.json["code"]) == (422, code), reply.text
    assert reply.json["errors"][0]["pointer"] == "/file"
    assert reply.json["detail"] != code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda content: content[:-300], "file_damaged"),
        (lambda content: content[:400] + bytes(300) + content[700:], "file_damaged"),
        (lambda content: _with_member(content, "xl/vbaProject.bin", b"macro"), "file_has_macros"),
        (lambda content: _with_member(content, "xl/bomb.xml", bytes(700 * 1024**2)), "file_too_large_unpacked"),
        (lambda content: _with_member(content, "xl/dense.xml", bytes(20 * 1024**2)), "file_too_large_unpacked"),
        (lambda _content: _sparse(), "file_unreadable"),
    ],
    ids=["truncated", "overwritten", "macros", "bomb", "dense", "sparse cell XFD1048576"],
)
def test_a_hostile_workbook_is_refused_and_the_service_lives_on(sales, workbook, change: Any, code: str) -> None:
    reply = sales.upload(change(workbook(["客户名称"], *([f"公司{number}"] for number in range(200)))))

    assert (reply.status_code, reply.json["code"]) == (422, code), reply.text
    assert sales.upload(workbook(["客户名称"], ["甲"])).status_code == 201


def test_an_encrypted_zip_and_a_foreign_zip_are_refused(sales, workbook) -> None:
    encrypted = bytearray(workbook(["客户名称"], ["甲"]))
    start = encrypted.find(b"PK\x01\x02")
    while start != -1:
        encrypted[start + 8] |= 1
        start = encrypted.find(b"PK\x01\x02", start + 4)
    foreign = _with_member(b"", "word/document.xml", b"<x/>")

    assert sales.upload(bytes(encrypted)).json["code"] == "file_encrypted"
    assert sales.upload(foreign).json["code"] == "file_not_a_workbook"


def test_a_workbook_with_only_a_header_is_refused(sales, workbook) -> None:
    assert sales.upload(workbook(["客户名称", "手机"])).json["code"] == "file_has_no_rows"


@pytest.mark.parametrize("size", [20 * 1024**2 + 1, 22 * 1024**2])
def test_more_than_20_mb_is_413_in_the_agreed_words(sales, size: int) -> None:
    reply = sales.upload(b"x" * size, "客户.csv", Accept_Language="zh")

    assert (reply.status_code, reply.json["code"]) == (413, "import_file_too_large")
    assert reply.json["detail"] == "导入文件大小不能超过20M"


def test_a_request_without_a_file_is_refused(sales, imports) -> None:
    headers = imports.headers(sales.member)

    no_form = imports.client.post("/api/v1/imports", json={}, headers=headers)
    no_file = imports.client.post(
        "/api/v1/imports", data={"x": "y"}, content_type="multipart/form-data", headers=headers
    )
    broken = imports.client.post("/api/v1/imports", data=b"--x", content_type="multipart/form-data; boundary=x", headers=headers)  # fmt: skip

    assert (no_form.status_code, no_form.json["code"]) == (415, "unsupported_media_type")
    assert (no_file.status_code, no_file.json["errors"][0]["pointer"]) == (422, "/file")
    assert 400 <= broken.status_code < 500


def test_an_upload_repeated_with_its_key_makes_one_import(sales, imports, workbook) -> None:
    content = workbook(["客户名称"], ["甲"])

    first, second = (sales.upload(content, Idempotency_Key="k1") for _ in range(2))
    other = sales.upload(workbook(["客户名称"], ["乙"]), Idempotency_Key="k1")

    assert second.json == first.json
    assert (other.status_code, other.json["code"]) == (422, "idempotency_key_reused")
    with imports.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(ImportJob)) == 1


def test_an_upload_while_the_object_store_is_away_is_503(sales, imports, workbook, monkeypatch) -> None:
    from obstore.exceptions import GenericError

    def away(*_arguments: object, **_options: object) -> None:
        raise GenericError("away")

    monkeypatch.setattr("obstore.put", away)

    reply = sales.upload(workbook(["客户名称"], ["甲"]))

    assert (reply.status_code, reply.json["code"]) == (503, "object_store_unavailable")
    assert "Retry-After" in reply.headers


def test_reading_with_another_header_row_sheet_or_delimiter_guesses_afresh(sales) -> None:
    book = Workbook()
    book.active.append(["客户名称", "手机"])
    book.active.append(["公司", "行业"])
    book.active.append(["甲", "其他"])
    second = book.create_sheet("第二页")
    second.append(["客户名称", "QQ"])
    second.append(["乙", "12345"])
    job = sales.upload(_saved(book)).json

    lower = sales.patch(job, header_row=2).json
    other_sheet = sales.patch(lower, sheet="第二页").json
    missing = sales.patch(other_sheet, sheet="第三页")
    blank = sales.patch(other_sheet, header_row=99)

    assert [column["field"] for column in lower["columns"]] == ["name", "industry"]
    assert [column["field"] for column in other_sheet["columns"]] == ["name", "contact.qq"]
    assert (missing.status_code, missing.json["code"]) == (422, "sheet_not_found")
    assert (blank.status_code, blank.json["code"]) == (422, "header_row_empty")
    csv = sales.upload("客户名称;备注\n甲;a,b\n".encode(), "a.csv").json
    assert [column["header"] for column in sales.patch(csv, delimiter=",").json["columns"]] == ["客户名称;备注"]


def test_jobs_are_measured_by_status_and_the_rows_of_handled_ones_by_how_far_they_are(sales) -> None:
    runtime = sales.service.runtime

    def measured(name: str, **labels: str) -> float | None:
        MEASURE_JOBS.run(runtime)
        return REGISTRY.get_sample_value(name, labels)

    assert measured("crm_import_jobs", status="uploaded") == 0
    job = sales.uploaded(["公司", 13800000000, "其他", ""])
    assert measured("crm_import_jobs", status="uploaded") == 1
    with runtime.database.transaction() as session:
        running = session.get_one(ImportJob, UUID(job["id"]))
        running.status, running.total, running.created, running.skipped, running.failed = "running", 10, 3, 2, 1
    assert measured("crm_import_rows", state="total") == 10
    assert measured("crm_import_rows", state="done") == 6
    with runtime.database.transaction() as session:
        undoing = session.get_one(ImportJob, UUID(job["id"]))
        undoing.status, undoing.stage, undoing.updated, undoing.undone, undoing.left = "undoing", "undo", 1, 2, 1
    assert measured("crm_import_rows", state="total") == 4
    assert measured("crm_import_rows", state="done") == 3
    assert measured("crm_import_jobs", status="uploaded") == 0
