"""The error list as a workbook that can be corrected and imported again (D-38 to D-43)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import IO, Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

from chassis.wording import Messages
from crm_import.kinds.kind import Kind
from crm_import.reading.cells import escaped
from crm_import.results.model import RowResult
from crm_import.results.rules import reasons

_RED = Font(color="C00000")


@dataclass(frozen=True)
class ErrorList:
    """How an error list is written: `headers` of the file's columns, whose rows are of `kind`; words in `language`, at most `most` rows."""

    headers: Sequence[str]
    kind: Kind
    messages: Messages
    language: str
    most: int

    def text(self, code: str, **parameters: int) -> str:
        """Words of the list."""
        return self.messages.text(code, self.language, parameters)


def write_errors(file: IO[bytes], errors: ErrorList, results: Iterable[RowResult]) -> None:
    """Write the original columns, the row number and the reasons of each result; row by row, never all in memory.

    What goes beyond `errors.most` is left out, and a second sheet says so.
    """
    book = Workbook(write_only=True)
    sheet = book.create_sheet(errors.text("errors_sheet"))
    titles = [*errors.headers, errors.text("errors_row"), errors.text("errors_reason")]
    sheet.append([escaped(title) for title in titles])
    sheet.freeze_panes = "A2"
    for count, result in enumerate(results):
        if count == errors.most:
            book.create_sheet(errors.text("template_help_sheet")).append([errors.text("errors_cut", most=errors.most)])
            break
        cells = [escaped(text) for text in (result.cells or [""] * len(errors.headers))]
        words = reasons(result.reasons(), errors.kind, errors.messages, errors.language)
        sheet.append([*cells, result.row_number, _red(sheet, words)])
    book.save(file)


def _red(sheet: WriteOnlyWorksheet, text: str) -> Any:
    cell = WriteOnlyCell(sheet, escaped(text))
    cell.font = _RED
    return cell
