"""What a cell's text becomes for the field that it fills. What it then means is for the records' own service to say.

Whatever is not understood stays as it is, and is refused with the field's own reason.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as defaulted
from datetime import datetime, timedelta
from enum import StrEnum

from crm_import.kinds.kind import Form

_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−", "-"))
_SCIENTIFIC = re.compile(r"([1-9])(?:\.([0-9]+))?E\+?([0-9]{1,2})", re.IGNORECASE)
_WHOLE_FLOAT = re.compile(r"([0-9]+)\.0+")
# A spreadsheet that shows 13800138000 as 1.38E+10 writes at most 6 digits; it keeps 15.
_SHOWN_DIGITS, _KEPT_DIGITS = 6, 15
_YEAR_FIRST = re.compile(r"([0-9]{4})\s*[-/.年]\s*([0-9]{1,2})\s*[-/.月]\s*([0-9]{1,2})\s*日?")
_COMPACT = re.compile(r"([12][0-9]{3})([0-9]{2})([0-9]{2})")
_YEAR_LAST = re.compile(r"([0-9]{1,2})[-/.]([0-9]{1,2})[-/.]([0-9]{4})")
_SERIAL = re.compile(r"([1-9][0-9]{4})(\.[0-9]+)?")  # 1927 to 2173
_TIME = re.compile(
    r"[T\s]*(上午|下午)?\s*([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.[0-9]+)?)?\s*(am|pm)?", re.IGNORECASE
)
_EPOCH, _EPOCH_1904 = datetime(1899, 12, 30), datetime(1904, 1, 1)  # noqa: DTZ001


class DateOrder(StrEnum):
    """Whether 05/01/2026 is the first of May or the fifth of January."""

    MONTH_FIRST = "mdy"
    DAY_FIRST = "dmy"


class DigitsLost(Exception):
    """Of a long number a spreadsheet has kept the beginning alone."""


@dataclass(frozen=True)
class Typing:
    """How the cells of a file are read: `forms` of the fields that are not plain text, and its dates."""

    forms: Mapping[str, Form] = defaulted(default_factory=dict)
    date_order: str | None = None
    from_1904: bool = False

    def typed(self, field: str, text: str) -> str:
        """What a person would have typed into `field`. Raises DigitsLost."""
        form = self.forms.get(field, Form.TEXT)
        return _TYPED[form](text, self) if text and form in _TYPED else text

    def column(self, field: str, texts: Sequence[str]) -> Sequence[str]:
        """The same of `field` in many rows. Raises DigitsLost."""
        form = self.forms.get(field, Form.TEXT)
        if form == Form.TEXT or (form == Form.DIGITS and _are_digits("".join(texts))):
            return texts
        return [self.typed(field, text) for text in texts]

    def day(self, text: str) -> str:
        """The day that `text` is, in ISO 8601, or the text itself."""
        return _day(text, self)


def _are_digits(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def digits(text: str) -> str:
    """Digits as typed: １３８ → 138, 1.3800138E+10 and 13800138000.0 → 13800138000. Raises DigitsLost on 1.38E+10."""
    if _are_digits(text):
        return text
    plain = unicodedata.normalize("NFKC", text).translate(_DASHES).strip()
    whole = _WHOLE_FLOAT.fullmatch(plain)
    if whole:
        return whole[1]
    scientific = _SCIENTIFIC.fullmatch(plain)
    if not scientific:
        return plain
    written, length = scientific[1] + (scientific[2] or ""), int(scientific[3]) + 1
    if not _SHOWN_DIGITS < len(written) <= length <= _KEPT_DIGITS:
        raise DigitsLost
    return written.ljust(length, "0")


def date_orders(text: str) -> set[DateOrder]:
    """The orders in which `text` is a day whose year comes last; empty when it is no such day."""
    match = _YEAR_LAST.match(unicodedata.normalize("NFKC", text).strip())
    if not match or not _is_time(match.string[match.end() :]):
        return set()
    first, second = int(match[1]), int(match[2])
    fitting = ((DateOrder.MONTH_FIRST, first, second), (DateOrder.DAY_FIRST, second, first))
    return {order for order, month, day in fitting if _moment(match[3], month, day) is not None}


def _digits(text: str, _typing: Typing) -> str:
    return digits(text)


def _day(text: str, typing: Typing) -> str:
    moment = _read(text, typing)
    return moment.date().isoformat() if moment else text


def _moment_text(text: str, typing: Typing) -> str:
    moment = _read(text, typing)
    return moment.isoformat(" ", "seconds") if moment else text


_TYPED: Mapping[Form, Callable[[str, Typing], str]] = {
    Form.DIGITS: _digits,
    Form.DAY: _day,
    Form.MOMENT: _moment_text,
}


def _read(text: str, typing: Typing) -> datetime | None:
    plain = unicodedata.normalize("NFKC", text).strip()
    if _SERIAL.fullmatch(plain):
        since = _EPOCH_1904 if typing.from_1904 else _EPOCH
        return since + timedelta(seconds=round(float(plain) * 86_400))
    match = _YEAR_FIRST.match(plain) or _COMPACT.match(plain)
    if match:
        day = _moment(match[1], int(match[2]), int(match[3]))
    elif typing.date_order and (match := _YEAR_LAST.match(plain)):
        first, second = int(match[1]), int(match[2])
        month, number = (first, second) if typing.date_order == DateOrder.MONTH_FIRST else (second, first)
        day = _moment(match[3], month, number)
    else:
        return None
    return _at(day, plain[match.end() :]) if day else None


def _moment(year: str, month: int, day: int) -> datetime | None:
    try:
        return datetime(int(year), month, day)  # noqa: DTZ001 – a cell knows no zone
    except ValueError:
        return None


def _at(day: datetime, text: str) -> datetime | None:
    if not text.strip():
        return day
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    half = (match[5] or "").lower() or {"上午": "am", "下午": "pm"}.get(match[1] or "", "")
    hour, minute, second = int(match[2]), int(match[3]), int(match[4] or 0)
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0) if hour <= 12 else hour
    if hour > 23 or minute > 59 or second > 59:
        return None
    return day.replace(hour=hour, minute=minute, second=second)


def _is_time(text: str) -> bool:
    return _at(_EPOCH, text) is not None
