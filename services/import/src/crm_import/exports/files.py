"""Writing rows into a file, one by one: what is written costs no memory, however much it is."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from rustpy_xlsxwriter import write_worksheet

from crm_import.exports.rules import Format
from crm_import.reading.cells import escaped

CONTENT_TYPES = {
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Format.CSV: "text/csv; charset=utf-8",
}
_WIDTH = 18.0


def write_file(
    path: Path, file_format: Format, sheet: str, titles: Sequence[str], rows: Iterable[Sequence[str]]
) -> None:
    """Write a header of different titles and `rows`, all of it text that no spreadsheet takes for a formula."""
    safe = ([escaped(text) for text in row] for row in rows)
    if file_format is Format.CSV:
        _write_csv(path, titles, safe)
    else:
        _write_xlsx(path, sheet, titles, safe)


def _write_csv(path: Path, titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    # The byte order mark, without which Excel takes it for the encoding of its machine.
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(chain([titles], rows))


def _write_xlsx(path: Path, sheet: str, titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    # Without any row there would be no header: a blank one is none to whoever reads it.
    first, rest = _first(rows, [""] * len(titles))
    write_worksheet(
        (dict(zip(titles, row, strict=True)) for row in chain([first], rest)),
        path,
        sheet_name=sheet,
        freeze_row=1,
        autofilter=True,
        bold_headers=True,
        column_width=_WIDTH,
        ignore_errors=list(titles),
    )


def _first(rows: Iterable[Sequence[str]], otherwise: Sequence[str]) -> tuple[Sequence[str], Iterator[Sequence[str]]]:
    remaining = iter(rows)
    return next(remaining, otherwise), remaining
