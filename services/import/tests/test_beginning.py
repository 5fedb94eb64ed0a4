"""The first look at a long sheet reads its beginning alone, and tells what a look at all of it would."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from openpyxl import Workbook

from crm_import.kinds.customers import CUSTOMERS
from crm_import.reading import preview as previews
from crm_import.reading.beginning import beginning
from crm_import.reading.sniff import RefusedFile
from crm_import.reading.tables import Layout, Table

SHEET = "xl/worksheets/sheet1.xml"
HEADER = ["客户名称", "手机", "备注"]
ROWS = [[f"公司{number}", 13800000000 + number, "2026/1/5"] for number in range(3000)]


def _file(folder: Path, rows: list[list[object]], change: Callable[[str], str] = str, name: str = "客户") -> Path:
    book = Workbook()
    book.active.title = name
    for row in rows:
        book.active.append(row)
    book.create_sheet("其他").append(["客户名称"])
    plain = io.BytesIO()
    book.save(plain)
    path = folder / "x.xlsx"
    with zipfile.ZipFile(plain) as read, zipfile.ZipFile(path, "w") as write:
        for part in read.namelist():
            content = read.read(part)
            write.writestr(part, change(content.decode()) if part == SHEET else content)
    return path


def _prefixed(xml: str) -> str:
    return xml.replace("</", "</x:").replace("<", "<x:").replace("<x:/x:", "</x:").replace("xmlns=", "xmlns:x=")


def _long(xml: str) -> str:
    """As a sheet that ends later than it says."""
    return xml.replace("A1:C3001", "A1:C700")


def _formatted(xml: str) -> str:
    """As a sheet with formatted rows, all empty, down to its very end."""
    return xml.replace("A1:C3001", "A1:C1048576")


def _deceiving(xml: str) -> str:
    """As a sheet with the end of a row in a text."""
    return xml.replace("公司1<", "<![CDATA[公司</row>]]><").replace("公司349<", "<![CDATA[</row>]]><")


@pytest.mark.parametrize(
    ("rows", "change", "is_enough"),
    [
        pytest.param([HEADER, *ROWS], str, True, id="long"),
        pytest.param([HEADER, *ROWS], _prefixed, True, id="long_with_prefixes"),
        pytest.param([["客户表"], [], HEADER, [], *ROWS], str, True, id="title_above"),
        pytest.param([HEADER, *ROWS[:50]], str, False, id="short"),
        pytest.param([HEADER, *ROWS], _long, False, id="longer_than_it_says"),
        pytest.param([HEADER, *ROWS], _formatted, False, id="shorter_than_it_says"),
        pytest.param([HEADER, *ROWS], lambda xml: xml.replace("dimension", "dimensions"), False, id="says_nothing"),
        pytest.param([HEADER, *ROWS], _deceiving, None, id="deceiving"),
        pytest.param([HEADER, *[[]] * 900, *ROWS], str, None, id="blank_at_first"),
        pytest.param(
            [HEADER, *([a, b, "05/01/2026"] for a, b, _ in ROWS), ["甲", 1, "13/01/2026"]], str, None, id="days"
        ),
        pytest.param([["", "", ""]] * 3 + ROWS, str, True, id="no_header"),
    ],
)
def test_what_is_shown_is_the_same(tmp_path: Path, rows, change, is_enough: bool | None) -> None:
    path = _file(tmp_path, rows, change)

    shown = previews.preview(path, CUSTOMERS, Layout("xlsx"), None)

    assert shown == previews.look_at(Table(path, Layout("xlsx")), CUSTOMERS, None)[0]
    assert is_enough is None or (beginning(path, None) is not None) == is_enough


def test_another_sheet_and_a_header_far_below_are_found(tmp_path: Path) -> None:
    path = _file(tmp_path, [HEADER, *ROWS])

    with pytest.raises(RefusedFile, match="file_has_no_rows"):
        previews.preview(path, CUSTOMERS, Layout("xlsx", "其他"), None)
    assert previews.preview(path, CUSTOMERS, Layout("xlsx"), 2000)["columns"][0]["header"] == "公司1998"


def test_a_sheet_that_is_broken_after_its_beginning_is_shown_and_refused_when_it_is_read(tmp_path: Path) -> None:
    path = _file(tmp_path, [HEADER, *ROWS], lambda xml: xml.replace('r="B2002"', 'r="??"'))

    assert previews.preview(path, CUSTOMERS, Layout("xlsx"), None)["rows_estimate"] == 3000
    with pytest.raises(RefusedFile, match="file_damaged"):
        Table(path, Layout("xlsx"))
