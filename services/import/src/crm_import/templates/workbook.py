"""The template that people fill in (D-07, D-12): a sheet with drop-downs and one that explains each field."""

import io
from functools import cache

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from chassis.wording import Messages
from crm_import.mapping.fields import FIELDS, Field

_ROWS = 5000
_OPTIONS = "options"
_BOLD = Font(bold=True)
_SHADE = PatternFill("solid", start_color="DDEBF7")
_REQUIRED = "name"
_IN_TEMPLATE = [field for field in FIELDS if field.in_template]


@cache
def template(messages: Messages, language: str) -> bytes:
    """The template with labels and explanations in `language`."""
    book = Workbook()
    rows = book.active
    assert isinstance(rows, Worksheet)
    rows.title = messages.text("template_sheet", language, {})
    options = book.create_sheet(_OPTIONS)
    options.sheet_state = "hidden"
    _fill_header(rows, language)
    for index, field in enumerate(_IN_TEMPLATE, 1):
        if field.options:
            _add_drop_down(rows, options, index, field)
    _explain(book.create_sheet(messages.text("template_help_sheet", language, {}), 1), messages, language)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _fill_header(sheet: Worksheet, language: str) -> None:
    sheet.freeze_panes = "A2"
    for index, field in enumerate(_IN_TEMPLATE, 1):
        cell = sheet.cell(1, index, field.label(language) + ("*" if field.name == _REQUIRED else ""))
        cell.font, cell.fill = _BOLD, _SHADE
        column = sheet.column_dimensions[get_column_letter(index)]
        column.width = 16
        column.number_format = "@"  # text, so that Excel keeps long numbers and leading zeros


def _add_drop_down(rows: Worksheet, options: Worksheet, index: int, field: Field) -> None:
    letter = get_column_letter(index)
    for number, option in enumerate(field.options, 1):
        options.cell(number, index, option)
    choice = DataValidation(
        type="list",
        formula1=f"{_OPTIONS}!${letter}$1:${letter}${len(field.options)}",
        allow_blank=True,
        showErrorMessage=not field.suggests,
    )
    choice.add(f"{letter}2:{letter}{_ROWS + 1}")
    rows.add_data_validation(choice)


def _explain(sheet: Worksheet, messages: Messages, language: str) -> None:
    titles = ("template_field", "template_required", "template_rule", "template_options")
    sheet.append([messages.text(title, language, {}) for title in titles])
    for field in _IN_TEMPLATE:
        is_required = "template_yes" if field.name == _REQUIRED else "template_no"
        rule = messages.text(f"template_rule.{field.name}", language, {})
        sheet.append([field.label(language), messages.text(is_required, language, {}), rule, "、".join(field.options)])
    for cell in sheet[1]:
        cell.font, cell.fill = _BOLD, _SHADE
    for letter, width in (("A", 18), ("B", 10), ("C", 60), ("D", 60)):
        sheet.column_dimensions[letter].width = width
        for cell in sheet[letter]:
            cell.alignment = Alignment(wrap_text=True, vertical="top")
