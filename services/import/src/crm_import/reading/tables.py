"""The rows of a file, whatever its format, as a person counts them."""

import csv
import io
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO
from xml.etree import ElementTree as ET

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
    WorksheetNotFound,
)

from crm_import.reading.cells import MAX_CELL_CHARACTERS, text_of
from crm_import.reading.sniff import NO_QUOTE, RefusedFile, delimiter_of, quote_of, text_encoding
from crm_import.reading.workbook_xml import counts_from_1904, error_cells, looks

MAX_CELLS = 16_384  # of a row, as in Excel


@dataclass(frozen=True)
class Layout:
    """How a file is to be read. None, empty: find out. `sheet` counts for workbooks, the others for CSV."""

    format: str
    sheet: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None


@dataclass(frozen=True)
class Row:
    """One row: `number` as Excel shows it, `cells` trimmed text from the first column on, `errors` error cells."""

    number: int
    cells: list[str]
    errors: dict[int, str] = field(default_factory=dict)

    @property
    def is_blank(self) -> bool:
        """Whether nothing is in it."""
        return not self.errors and not any(self.cells)


Values = tuple[int, Sequence[Any]]  # a row's number, and what the file holds in it from the first column on


class _Lines:
    """The lines of a CSV file as they are read, with those of the row read last."""

    def __init__(self) -> None:
        self.last: list[str] = []
        self._read: list[str] = []

    def of(self, file: TextIO) -> Iterator[str]:
        """Each line."""
        for line in file:
            self._read.append(line)
            yield line

    def end_row(self) -> None:
        """What was read until now is a row."""
        self.last, self._read = self._read, []


class Table:
    """An open file. `layout` says how it is read, `sheets` what else could be chosen, `rows_estimate` how many rows
    it has at most, the header included; `errors`: error cells by row number and column; `from_1904`: numbers of days in it
    count from then.
    """

    def __init__(self, path: Path, layout: Layout, workbook: io.BytesIO | None = None) -> None:
        """`workbook` is read in place of the file at `path`. Raises RefusedFile when it cannot be read that way."""
        self._path, self._workbook = path, workbook or path
        self.sheets: list[str] = []
        self.errors: dict[int, dict[int, str]] = {}
        self.from_1904 = False
        if layout.format == "csv":
            self._open_csv(path, layout)
        else:
            self._open_workbook(self._workbook, layout)

    def rows(self) -> Iterator[Row]:
        """Every row, blank ones too, from row 1. Raises RefusedFile where the file is broken."""
        for number, values in self.values():
            yield Row(number, list(map(text_of, values)), self.errors.get(number, {}))

    def values(self) -> Iterator[Values]:
        """The same rows as the file holds them: what `cells` makes texts of."""
        return self._csv_rows() if self.layout.format == "csv" else self._sheet_rows()

    def looks(self, rows: Collection[int]) -> dict[int, dict[str, Any]]:
        """How columns of an .xlsx sheet look, going by these rows: see `workbook_xml`."""
        return looks(self._workbook, self._sheet.name, rows) if self.layout.format == "xlsx" else {}

    def _open_csv(self, path: Path, layout: Layout) -> None:
        encoding = layout.encoding or text_encoding(path)
        delimiter = layout.delimiter or delimiter_of(path, encoding)
        self.layout = Layout("csv", None, encoding, delimiter, layout.quote or quote_of(path, encoding, delimiter))
        with path.open("rb") as file:
            self.rows_estimate = sum(piece.count(b"\n") for piece in iter(lambda: file.read(1024 * 1024), b"")) + 1

    def _csv_rows(self) -> Iterator[Values]:
        csv.field_size_limit(MAX_CELL_CHARACTERS)  # what is longer has an open quote
        quote = self.layout.quote
        form: dict[str, Any] = {"quoting": csv.QUOTE_NONE} if quote == NO_QUOTE else {"quotechar": quote or '"'}
        form["delimiter"] = self.layout.delimiter or ","
        number = 0
        lines = _Lines()
        try:
            with self._text() as file:
                for number, cells in enumerate(csv.reader(lines.of(file), **form), 1):
                    lines.end_row()
                    if len(cells) > MAX_CELLS:
                        raise RefusedFile("row_too_long", row=number, limit=MAX_CELLS)
                    yield number, cells
        except csv.Error as error:
            raise RefusedFile("csv_broken", row=number + 1, limit=MAX_CELL_CHARACTERS) from error
        except UnicodeError as error:
            raise RefusedFile("file_encoding_unknown") from error
        if _is_open(lines.last, form):
            raise RefusedFile("csv_broken", row=number, limit=MAX_CELL_CHARACTERS)

    def _text(self) -> TextIO:
        return self._path.open(encoding=self.layout.encoding, newline="")

    def _open_workbook(self, file: Path | io.BytesIO, layout: Layout) -> None:
        try:
            workbook = CalamineWorkbook.from_object(file)
            self.sheets = [sheet.name for sheet in workbook.sheets_metadata if _is_readable(sheet.typ, sheet.visible)]
            self._sheet, self.errors = self._read_sheet(workbook, file, layout)
            self.from_1904 = layout.format == "xlsx" and counts_from_1904(file)
        except PasswordError as error:
            raise RefusedFile("file_encrypted") from error
        except WorksheetNotFound as error:
            raise RefusedFile(
                "sheet_not_found" if layout.sheet else "file_damaged", sheet=layout.sheet or ""
            ) from error
        except (CalamineError, ET.ParseError) as error:
            raise RefusedFile("file_damaged") from error
        if (self._sheet.end or (0, 0))[1] >= MAX_CELLS:
            raise RefusedFile("file_damaged")
        self.layout = Layout(layout.format, self._sheet.name)
        self.rows_estimate = (self._sheet.end or (-1, 0))[0] + 1

    def _read_sheet(
        self, workbook: CalamineWorkbook, file: Path | io.BytesIO, layout: Layout
    ) -> tuple[CalamineSheet, dict[int, dict[int, str]]]:
        """The sheet and its error cells. Of a file they are read side by side: calamine lets other threads run."""
        if layout.format != "xlsx":
            return _chosen(workbook, self.sheets, layout.sheet), {}
        if layout.sheet is None or not isinstance(file, Path):
            sheet = _chosen(workbook, self.sheets, layout.sheet)
            return sheet, error_cells(file, sheet.name)
        with ThreadPoolExecutor(1) as beside:
            errors = beside.submit(error_cells, file, layout.sheet)
            return _chosen(workbook, self.sheets, layout.sheet), errors.result()

    def _sheet_rows(self) -> Iterator[Values]:
        # calamine leaves out the columns before the first filled one.
        before = [""] * (self._sheet.start or (0, 0))[1]
        for number, values in enumerate(self._sheet.iter_rows(), 1):
            yield number, [*before, *values] if before else values


def _is_open(lines: list[str], form: dict[str, Any]) -> bool:
    """Whether a quote in the last row of a file is never closed: it has swallowed every row after it."""
    try:
        list(csv.reader(lines, strict=True, **form))
    except csv.Error as error:
        return "unexpected end" in str(error)
    return False


def _is_readable(kind: SheetTypeEnum, visible: SheetVisibleEnum) -> bool:
    return kind == SheetTypeEnum.WorkSheet and visible == SheetVisibleEnum.Visible


def _chosen(workbook: CalamineWorkbook, sheets: list[str], wanted: str | None) -> CalamineSheet:
    if wanted is not None:
        if wanted not in sheets:
            raise RefusedFile("sheet_not_found", sheet=wanted)
        return workbook.get_sheet_by_name(wanted)
    for name in sheets:
        sheet = workbook.get_sheet_by_name(name)
        if sheet.end is not None:  # total_height is one too small
            return sheet
    raise RefusedFile("file_empty")
