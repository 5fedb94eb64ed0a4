"""The first look at a file: its sheets, header, first rows, days and size. Runs in the child process."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from crm_import.kinds.kind import Kind
from crm_import.mapping.forms import DateOrder, date_orders
from crm_import.mapping.rules import guess_mapping
from crm_import.reading.beginning import beginning
from crm_import.reading.sniff import RefusedFile
from crm_import.reading.tables import Layout, Row, Table
from crm_import.reading.workbook_xml import column_letters

MAX_COLUMNS = 200
SHOWN_ROWS = 10
_SHOWN_CHARACTERS = 100
_HEADER_WITHIN_ROWS = 10
# Columns without such a day in the first rows have none; those whose days fit both orders are looked at for longer.
_DAYS_WITHIN_ROWS, _DAYS_SETTLED_WITHIN_ROWS = 100, 20_000
_IS_VALUE = re.compile(r"[+\d][\d\s.,:/-]*|[^@\s]+@[^@\s]+\.\w+")

Headed = tuple[int, list[tuple[int, str]], Iterable[Row]]  # number of its row, 0: none; index and text; rows below


def preview(path: Path, kind: Kind, layout: Layout, header_row: int | None) -> dict[str, Any]:
    """What the settings page shows. `header_row` counts from 1, 0: there is none; None: find it. Raises RefusedFile."""
    return _of_beginning(path, kind, layout, header_row) or look_at(Table(path, layout), kind, header_row)[0]


def _of_beginning(path: Path, kind: Kind, layout: Layout, header_row: int | None) -> dict[str, Any] | None:
    """The same of a long sheet by its beginning, None where that does not tell all."""
    first = beginning(path, layout.sheet) if layout.format == "xlsx" else None
    if first is None:
        return None
    with suppress(RefusedFile):
        table = Table(path, layout, first.workbook)
        found, is_settled = look_at(table, kind, header_row)
        if is_settled and table.layout.sheet == first.sheet:
            return {**found, "rows_estimate": first.rows - found["header_row"]}
    return None


def look_at(table: Table, kind: Kind, header_row: int | None) -> tuple[dict[str, Any], bool]:
    """What the settings page shows of a table, and whether further rows could not make it something else."""
    number, headers, rest = _headed(table.rows(), header_row, kind)
    rows = (row for row in rest if not row.is_blank)
    shown = list(islice(rows, SHOWN_ROWS))
    if not shown:
        raise RefusedFile("file_has_no_rows")
    days = _Days([index for index, _ in headers])
    days.look(chain(shown, rows))
    looks = table.looks([row.number for row in shown])
    found = {
        "sheets": table.sheets,
        "sheet": table.layout.sheet,
        "encoding": table.layout.encoding,
        "delimiter": table.layout.delimiter,
        "quote": table.layout.quote,
        "header_row": number,
        "rows_estimate": max(1, table.rows_estimate - number),
        "columns": [
            {
                "index": index,
                "header": text,
                "sample": _text(shown[0], index),
                "samples": {str(row.number): _text(row, index) for row in shown},
                **days.of(index),
                **looks.get(index, {}),
                **({"from_1904": True} if table.from_1904 else {}),
            }
            for index, text in headers
        ],
    }
    return found, len(shown) == SHOWN_ROWS and days.are_settled


@dataclass
class _Days:
    """In which order the days of each column are written whose year comes last."""

    columns: Sequence[int]
    orders: dict[int, set[DateOrder]] = field(default_factory=dict)
    examples: dict[int, str] = field(default_factory=dict)

    def look(self, rows: Iterable[Row]) -> None:
        for count, row in enumerate(islice(rows, _DAYS_SETTLED_WITHIN_ROWS)):
            if count >= _DAYS_WITHIN_ROWS:
                self.columns = [index for index, orders in self.orders.items() if len(orders) > 1]
                if not self.columns:
                    return
            for index in self.columns:
                text = row.cells[index] if index < len(row.cells) else ""
                if text and (found := date_orders(text)):
                    self.orders[index] = self.orders.get(index, found) & found
                    self.examples.setdefault(index, text)

    @property
    def are_settled(self) -> bool:
        """Whether no column has days that fit both orders."""
        return all(len(orders) <= 1 for orders in self.orders.values())

    def of(self, index: int) -> dict[str, Any]:
        """`date_orders` that fit all days of a column, and its first day; empty for columns without any."""
        if index not in self.orders:
            return {}
        return {"date_orders": sorted(self.orders[index]), "date_example": self.examples[index]}


def header_columns(header: Row) -> list[tuple[int, str]]:
    """Index and text of each column from the first to the last that is headed."""
    columns = _columns([header])
    if not columns:
        raise RefusedFile("header_row_empty", row=header.number)
    return [(index, header.cells[index][:_SHOWN_CHARACTERS]) for index in columns]


def _columns(rows: Sequence[Row]) -> range:
    filled = {index for row in rows for index, text in enumerate(row.cells) if text}
    columns = range(min(filled), max(filled) + 1) if filled else range(0)
    if len(columns) > MAX_COLUMNS:
        raise RefusedFile("too_many_columns", limit=MAX_COLUMNS)
    return columns


def _text(row: Row, index: int) -> str:
    text = row.errors.get(index) or (row.cells[index] if index < len(row.cells) else "")
    return text[:_SHOWN_CHARACTERS]


def _headed(rows: Iterator[Row], header_row: int | None, kind: Kind) -> Headed:
    if header_row:
        header = next((row for row in rows if row.number == header_row), None)
        if header is None or header.is_blank:
            raise RefusedFile("header_row_empty", row=header_row)
        return header.number, header_columns(header), rows
    first = list(islice((row for row in rows if not row.is_blank), _HEADER_WITHIN_ROWS))
    if not first:
        raise RefusedFile("file_empty")
    header = _found_header(first, kind) if header_row is None else None
    if header is None:
        return 0, [(index, column_letters(index)) for index in _columns(first)], chain(first, rows)
    return header.number, header_columns(header), chain(first[first.index(header) + 1 :], rows)


def _found_header(first: Sequence[Row], kind: Kind) -> Row | None:
    """The row among the first that names the most fields: titles and merged group headers often stand above it. None
    where no field is named and the first row holds values.
    """
    best = max(first, key=lambda row: (_recognised(row.cells, kind), -row.number))
    is_data = not _recognised(best.cells, kind) and any(map(_IS_VALUE.fullmatch, first[0].cells))
    return None if is_data else best


def _recognised(cells: Sequence[str], kind: Kind) -> int:
    return sum(field is not None for field in guess_mapping(cells, kind))
