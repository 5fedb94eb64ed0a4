"""Cells as text: the one form in which values travel from the file to the customer and back into the error list."""

import datetime as dt
import re

MAX_CELL_CHARACTERS = 32_767  # Excel's own limit; far above every field's
_ESCAPED = re.compile("^'(?=[=+@-])")  # what the error list puts before text that Excel would run (D-43)
_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def clean(text: str) -> str:
    """`text` without what neither PostgreSQL nor a workbook can hold, trimmed, at most Excel's own length."""
    return _ESCAPED.sub("", _UNSTORABLE.sub("", text).strip()[:MAX_CELL_CHARACTERS].rstrip())


def escaped(text: str) -> str:
    """`text` that no spreadsheet takes for a formula; `clean` undoes it, so that an error list can be imported."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def text_of(value: object) -> str:
    """A calamine value as a person would type it: 13800138000.0 → 13800138000, dates in ISO 8601."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, dt.datetime):
        return value.isoformat(" ", "seconds")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return str(value)


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)
