"""Makes the bundled workbook: `python -m highsea_local.demo.workbook` writes customers.xlsx beside this file."""

import io
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Font

from highsea_local.demo.companies import HEADERS, Row, rows

BUNDLED = Path(__file__).with_name("customers.xlsx")
_SEED = 20261122
# What people get wrong: column and value, by the row's place in the file.
_MISTAKES: dict[int, tuple[str, object]] = {
    17: ("手机", "1380013800"),
    58: ("客户名称", ""),
    96: ("客户行业", "互联网"),
    133: ("邮箱", "li.wei#example.com"),
    190: ("邮编", "31000"),
    247: ("城市", "火星市"),
    301: ("手机", "021-58880000"),
    355: ("客户信息来源", "朋友圈"),
    410: ("QQ", "12345678a"),
    466: ("客户名称", "上海" + "华夏春松" * 13 + "有限公司"),
    512: ("手机", "电话见名片"),
    588: ("年营业额", "一个亿"),
    643: ("邮箱", "王经理"),
    700: ("公司性质", "个体"),
    777: ("评分", "五星"),
    851: ("员工数", "很多"),
    934: ("邮编", "邮编不详"),
}
_REPEATS = {120: 20, 240: 21, 480: 22, 600: 23, 720: 24, 840: 25, 960: 26, 999: 27}
_UNTIDY = {33: ("客户名称", "  {}  "), 66: ("首要联系人姓名", " {}"), 99: ("职位", "{} ")}


def demo_rows() -> list[Row]:
    """A thousand rows with the mistakes, repeats and stray blanks of a real file."""
    made = rows(1000, _SEED)
    for place, (header, value) in _MISTAKES.items():
        made[place] = made[place].with_cell(header, value)
    for place, original in _REPEATS.items():
        made[place] = made[original]
    for place, (header, pattern) in _UNTIDY.items():
        cell = made[place].cells[HEADERS.index(header)]
        made[place] = made[place].with_cell(header, pattern.format(cell))
    return made


def workbook_bytes(table: Sequence[Row]) -> bytes:
    """An .xlsx of the rows as people make it: numbers for mobiles here and there, a bold header."""
    book = Workbook()
    book.properties.created = book.properties.modified = datetime(2026, 11, 22)  # noqa: DTZ001 - Excel knows no zones
    sheet: Any = book.active
    sheet.title = "客户"
    sheet.append(HEADERS)
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    mobile = HEADERS.index("手机")
    for number, row in enumerate(table):
        cells = list(row.cells)
        if number % 3 == 0 and str(cells[mobile]).isdigit():
            cells[mobile] = int(str(cells[mobile]))
        sheet.append(cells)
    for column, width in (("A", 36), ("J", 28), ("M", 28), ("P", 14)):
        sheet.column_dimensions[column].width = width
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


if __name__ == "__main__":
    BUNDLED.write_bytes(workbook_bytes(demo_rows()))
