"""Cells as text: the one form in which values travel from the file to the customer and back into the error list."""

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any

_EXACT_DIGITS = 15
MAX_CELL_CHARACTERS = 32_767  # Excel's own limit; far above every field's
BETWEEN_CELLS, BETWEEN_COLUMNS = "\x1f", "\x1e"  # of chunks; no clean text holds them
_RUN = re.compile("'*[=+@-]")  # what Excel would run (D-43), or text that has been kept from it already
_ESCAPED = re.compile(f"^'(?={_RUN.pattern})")
_ODD = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]"  # neither PostgreSQL nor a workbook holds them
    "|[\u00ad\u180e\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"  # nobody sees them
    "|(?<![\u2600-\u27bf\ufe0f\U0001f000-\U0001faff])\u200d"  # nor this, unless it makes one emoji of several
)
_BLANKS = re.compile("[\u00a0\u2000-\u200a\u202f\u205f]")


def clean(text: str) -> str:
    """`text` without what cannot be stored or seen, other blanks as plain ones, trimmed, at most Excel's own length."""
    if not text.isprintable():  # most cells hold nothing odd
        text = _BLANKS.sub(" ", _ODD.sub("", text))
    text = text.strip()
    if len(text) > MAX_CELL_CHARACTERS:
        text = text[:MAX_CELL_CHARACTERS].rstrip()
    return _ESCAPED.sub("", text) if text[:1] == "'" else text


def escaped(text: str) -> str:
    """`text` that no spreadsheet takes for a formula; `clean` undoes it, so that error lists and exports can be imported."""
    return f"'{text}" if _RUN.match(text) else text


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


def texts_of(values: Sequence[Any]) -> list[str]:
    """`text_of` each value of a column. Most columns hold nothing but clean text, which shows at once."""
    try:
        joined = "".join(values)
    except TypeError:  # numbers are among them
        return list(map(text_of, values))
    is_clean = joined.isprintable() and " " not in joined and "'" not in joined
    if is_clean and (len(joined) <= MAX_CELL_CHARACTERS or len(max(values, key=len)) <= MAX_CELL_CHARACTERS):
        return list(values)
    return list(map(clean, values))


def _number(value: float) -> str:
    """Excel keeps 15 digits: whoever typed more has lost the others, and what is beyond them was never typed."""
    if value.is_integer() and abs(value) < 10**_EXACT_DIGITS:
        return str(int(value))
    return format(value, f".{_EXACT_DIGITS}g").upper()
