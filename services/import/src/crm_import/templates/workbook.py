"""The template that people fill in (D-07, D-12): a sheet with drop-downs and one that explains each field."""

import io
from collections.abc import Mapping, Sequence
from functools import lru_cache

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from chassis.wording import Messages
from crm_import.kinds.kind import Field, Kind
from crm_import.templates.queries import Choices

_ROWS = 5000
_OPTIONS = "options"
_BOLD = Font(bold=True)
_SHADE = PatternFill("solid", start_color="DDEBF7")


@lru_cache(maxsize=8)
def template(kind: Kind, choices: Choices, messages: Messages, language: str, *, complete: bool) -> bytes:
    """The template of a kind with labels and explanations in `language`; `choices` are the organisation's own.

    Not `complete`: custom fields could not be asked for, which the explanations say.
    """
    chosen = dict(choices)
    book = Workbook()
    rows = book.active
    assert isinstance(rows, Worksheet)
    rows.title = messages.text(f"template_sheet.{kind.name}", language, {})
    options = book.create_sheet(_OPTIONS)
    options.sheet_state = "hidden"
    _fill_header(rows, kind, language)
    for index, field in enumerate(_shown(kind), 1):
        if words := chosen.get(field.dictionary or field.name, field.options):
            _add_drop_down(rows, options, index, words, is_free=field.suggests)
    explained = book.create_sheet(messages.text("template_help_sheet", language, {}), 1)
    if not complete:
        explained.append([messages.text("template_incomplete", language, {})])
    _explain(explained, kind, chosen, messages, language)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _shown(kind: Kind) -> list[Field]:
    return [field for field in kind.fields if field.in_template]


def _is_required(field: Field, kind: Kind) -> bool:
    return field.name in (*kind.required, *kind.required_to_create)


def _fill_header(sheet: Worksheet, kind: Kind, language: str) -> None:
    sheet.freeze_panes = "A2"
    for index, field in enumerate(_shown(kind), 1):
        cell = sheet.cell(1, index, field.label(language) + ("*" if _is_required(field, kind) else ""))
        cell.font, cell.fill, cell.data_type = _BOLD, _SHADE, "s"  # never a formula, whatever a field is called
        column = sheet.column_dimensions[get_column_letter(index)]
        column.width = 16
        column.number_format = "@"  # text, so that Excel keeps long numbers and leading zeros


def _add_drop_down(rows: Worksheet, options: Worksheet, index: int, words: Sequence[str], *, is_free: bool) -> None:
    letter = get_column_letter(index)
    for number, word in enumerate(words, 1):
        options.cell(number, index, word).data_type = "s"  # never a formula, whatever a department is called
    choice = DataValidation(
        type="list",
        formula1=f"{_OPTIONS}!${letter}$1:${letter}${len(words)}",
        allow_blank=True,
        showErrorMessage=not is_free,
    )
    choice.add(f"{letter}2:{letter}{_ROWS + 1}")
    rows.add_data_validation(choice)


def _explain(
    sheet: Worksheet, kind: Kind, chosen: Mapping[str, Sequence[str]], messages: Messages, language: str
) -> None:
    titles = ("template_field", "template_required", "template_rule", "template_options")
    sheet.append([messages.text(title, language, {}) for title in titles])
    for field in _shown(kind):
        is_required = "template_yes" if _is_required(field, kind) else "template_no"
        rule = messages.text(f"template_rule.{field.rule or f'{kind.name}.{field.name}'}", language, {})
        words = "" if field.chosen_from else "、".join(chosen.get(field.dictionary or field.name, field.options))
        sheet.append([field.label(language), messages.text(is_required, language, {}), rule, words])
        for cell in sheet[sheet.max_row]:
            cell.data_type = "s"
    for cell in sheet[1]:
        cell.font, cell.fill = _BOLD, _SHADE
    for letter, width in (("A", 18), ("B", 10), ("C", 60), ("D", 60)):
        sheet.column_dimensions[letter].width = width
        for cell in sheet[letter]:
            cell.alignment = Alignment(wrap_text=True, vertical="top")
