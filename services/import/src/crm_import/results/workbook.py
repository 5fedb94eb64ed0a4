"""The error list as a workbook that can be corrected and imported again (D-38 to D-43)."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import IO, Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill
from openpyxl.styles.numbers import is_date_format
from openpyxl.utils import get_column_letter
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

from chassis.wording import Messages
from crm_import.jobs.model import ImportJob
from crm_import.kinds.kind import Kind
from crm_import.reading.cells import escaped
from crm_import.results.model import RowResult
from crm_import.results.rules import Problem, reason, reasons

# A workbook keeps all comments in memory while it is written; what they say is in the last column, too.
MOST_COMMENTS = 2000
_BOLD, _RED = Font(bold=True), Font(color="C00000")
_WRONG = PatternFill("solid", fgColor="FFC7CE")
_TEXT = "@"
_WIDTH, _REASON_WIDTH = 16.0, 60.0
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?")


@dataclass(frozen=True)
class Column:
    """A column of the error list: its title, the field that it fills, if any, and how it looked in the file."""

    title: str
    field: str | None = None
    width: float = _WIDTH
    number_format: str = _TEXT


@dataclass
class ErrorList:
    """How an error list is written: the file's `columns`, whose rows are of `kind`; words in `language`, at most `most`
    rows. `from_1904`: numbers of days in the file count from then.
    """

    columns: Sequence[Column]
    kind: Kind
    messages: Messages
    language: str
    most: int
    from_1904: bool = False
    comments: int = field(default=0, init=False)

    @classmethod
    def of(cls, job: ImportJob, messages: Messages, language: str, most: int) -> "ErrorList":
        """The error list of a job. Columns without a header are called as the field that they fill."""
        fields = {column: name for name, column in job.mapped.items()}
        columns = []
        for column in job.columns:
            name = fields.get(column["index"])
            title = column["header"] if job.header_row or not name else job.traits.label(name, language)
            columns.append(Column(title, name, column.get("width", _WIDTH), column.get("number_format", _TEXT)))
        return cls(columns, job.traits, messages, language, most, job.typing.from_1904)

    def text(self, code: str, **parameters: int) -> str:
        """Words of the list."""
        return self.messages.text(code, self.language, parameters)


def write_errors(file: IO[bytes], errors: ErrorList, results: Iterable[RowResult]) -> None:
    """Write the original columns, the row number and the reasons of each result; row by row, never all in memory.

    What goes beyond `errors.most` is left out, and a second sheet says so.
    """
    book = Workbook(write_only=True)
    if errors.from_1904:
        book.epoch = CALENDAR_MAC_1904
    sheet = book.create_sheet(errors.text("errors_sheet"))
    _begin(sheet, errors)
    for count, result in enumerate(results):
        if count == errors.most:
            book.create_sheet(errors.text("template_help_sheet")).append([errors.text("errors_cut", most=errors.most)])
            break
        sheet.append(_row(sheet, errors, result))
    book.save(file)


def _begin(sheet: Any, errors: ErrorList) -> None:
    widths = [*(column.width for column in errors.columns), _WIDTH, _REASON_WIDTH]
    for number, width in enumerate(widths, 1):
        sheet.column_dimensions[get_column_letter(number)].width = width
    sheet.freeze_panes = "A2"
    titles = [*(column.title for column in errors.columns), errors.text("errors_row"), errors.text("errors_reason")]
    sheet.append([_cell(sheet, escaped(title), font=_BOLD) for title in titles])


def _row(sheet: WriteOnlyWorksheet, errors: ErrorList, result: RowResult) -> list[Any]:
    problems = result.reasons()
    wrong: dict[str, list[Problem]] = {}
    for problem in problems:
        wrong.setdefault(problem.field, []).append(problem)
    texts = result.cells or [""] * len(errors.columns)
    cells = [
        _original(sheet, errors, column, text, wrong.get(column.field or "", ()) if column.field else ())
        for column, text in zip(errors.columns, texts, strict=False)
    ]
    words = reasons(problems, errors.kind, errors.messages, errors.language)
    return [*cells, result.row_number, _cell(sheet, escaped(words), font=_RED)]


def _original(
    sheet: WriteOnlyWorksheet, errors: ErrorList, column: Column, text: str, problems: Sequence[Problem]
) -> Any:
    """A cell as it was in the file, marked and commented where it is what is wrong."""
    value, form = _as_before(text, column.number_format)
    cell = _cell(sheet, value, number_format=form)
    if problems:
        cell.fill = _WRONG
        if errors.comments < MOST_COMMENTS:
            errors.comments += 1
            words = "\n".join(reason(one, errors.kind, errors.messages, errors.language) for one in problems)
            cell.comment = Comment(words, "Highsea", width=320, height=90)
    return cell


def _as_before(text: str, number_format: str) -> tuple[Any, str]:
    """Days and numbers that a format shows as such are written as such; all else is text, which no spreadsheet alters."""
    if is_date_format(number_format) and (moment := _moment(text)):
        return moment, number_format
    if number_format not in ("General", _TEXT) and _NUMBER.fullmatch(text):
        return float(text), number_format
    return escaped(text), _TEXT


def _moment(text: str) -> date | datetime | None:
    for kind in (date, datetime):
        try:
            return kind.fromisoformat(text)
        except ValueError:
            continue
    return None


def _cell(sheet: WriteOnlyWorksheet, value: Any, **looks: Any) -> Any:
    cell = WriteOnlyCell(sheet, value)
    for name, look in looks.items():
        setattr(cell, name, look)
    return cell
