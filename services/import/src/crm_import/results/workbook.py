"""The error list as a workbook that can be corrected and imported again (D-38 to D-43)."""

from collections.abc import Iterable, Sequence
from typing import IO, Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

from chassis.wording import Messages
from crm_import.reading.cells import escaped
from crm_import.results.model import RowResult
from crm_import.results.rules import reasons

_RED = Font(color="C00000")


def write_errors(
    file: IO[bytes], headers: Sequence[str], results: Iterable[RowResult], messages: Messages, language: str
) -> None:
    """Write the original columns, the row number and the reasons of each result; row by row, never all in memory."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(messages.text("errors_sheet", language, {}))
    titles = [*headers, messages.text("errors_row", language, {}), messages.text("errors_reason", language, {})]
    sheet.append([escaped(title) for title in titles])
    sheet.freeze_panes = "A2"
    for result in results:
        cells = [escaped(text) for text in (result.cells or [""] * len(headers))]
        sheet.append([*cells, result.row_number, _red(sheet, reasons(result.reasons(), messages, language))])
    book.save(file)


def _red(sheet: WriteOnlyWorksheet, text: str) -> Any:
    cell = WriteOnlyCell(sheet, escaped(text))
    cell.font = _RED
    return cell
