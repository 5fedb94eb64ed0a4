"""The first look at a file: its sheets, header, first data row and size. Runs in the child process."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from crm_import.kinds.kind import Kind
from crm_import.mapping.rules import guess_mapping
from crm_import.reading.sniff import RefusedFile
from crm_import.reading.tables import Layout, Row, Table

MAX_COLUMNS = 200
_HEADER_WITHIN_ROWS = 10


def preview(path: Path, kind: Kind, layout: Layout, header_row: int | None) -> dict[str, Any]:
    """What the settings page shows. `header_row` counts from 1; None: find it. Raises RefusedFile."""
    table = Table(path, layout)
    rows = table.rows()
    header, rest = _header_at(rows, header_row) if header_row else _found_header(rows, kind)
    columns = header_columns(header)
    sample = next((row for row in rest if not row.is_blank), None)
    if sample is None:
        raise RefusedFile("file_has_no_rows")
    return {
        "sheets": table.sheets,
        "sheet": table.layout.sheet,
        "encoding": table.layout.encoding,
        "delimiter": table.layout.delimiter,
        "header_row": header.number,
        "rows_estimate": max(1, table.rows_estimate - header.number),
        "columns": [{"index": index, "header": text, "sample": _sample(sample, index)} for index, text in columns],
    }


def header_columns(header: Row) -> list[tuple[int, str]]:
    """Index and text of each column from the first to the last that is headed."""
    filled = [index for index, text in enumerate(header.cells) if text]
    if not filled:
        raise RefusedFile("header_row_empty", row=header.number)
    if filled[-1] - filled[0] >= MAX_COLUMNS:
        raise RefusedFile("too_many_columns", limit=MAX_COLUMNS)
    return [(index, header.cells[index][:100]) for index in range(filled[0], filled[-1] + 1)]


def _sample(row: Row, index: int) -> str:
    text = row.errors.get(index) or (row.cells[index] if index < len(row.cells) else "")
    return text[:100]


def _header_at(rows: Iterator[Row], number: int) -> tuple[Row, Iterator[Row]]:
    header = next((row for row in rows if row.number == number), None)
    if header is None or header.is_blank:
        raise RefusedFile("header_row_empty", row=number)
    return header, rows


def _found_header(rows: Iterator[Row], kind: Kind) -> tuple[Row, Iterable[Row]]:
    """The row among the first that names the most fields: titles and merged group headers often stand above it."""
    first = list(islice((row for row in rows if not row.is_blank), _HEADER_WITHIN_ROWS))
    if not first:
        raise RefusedFile("file_empty")
    best = max(first, key=lambda row: (_recognised(row.cells, kind), -row.number))
    return best, (row for part in (first[first.index(best) + 1 :], rows) for row in part)


def _recognised(cells: Sequence[str], kind: Kind) -> int:
    return sum(field is not None for field in guess_mapping(cells, kind))
