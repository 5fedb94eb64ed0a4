"""Numbers as a telephone system reports them, and what a call may say. Pure functions."""

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chassis.errors import FieldError
from crm_customer.matching.identifiers import from_home

# Clocks of telephone systems go a little ahead.
AHEAD = timedelta(minutes=5)
_WITHHELD = frozenset(
    {"", "anonymous", "private", "restricted", "unavailable", "unknown", "withheld", "匿名", "未知", "隐藏"}
)
_BETWEEN = re.compile(r"[\s().-]")
_NUMBER = re.compile(r"\+?([0-9]{3,20})")
# Numbers without area code that are written with the nought of one: mobile, 400 and 800; a number from abroad.
_TRUNK, _ABROAD = re.compile(r"0(1[3-9][0-9]{9}|[48]00[0-9]{7})"), re.compile(r"00([1-9][0-9]+)")


@dataclass(frozen=True)
class Call:
    """One call as it is reported, its numbers in their one form: `call_id` is the telephone system's own."""

    call_id: str
    number: str
    hotline: str
    called_at: datetime
    answered: bool
    seconds: int
    extension: str | None


def number_of(text: str) -> str:
    """A number as dialled in China, digits alone: +86 138-0013-8000 -> 13800138000; empty where it was withheld.

    Raises ValueError for what is no number.
    """
    folded = unicodedata.normalize("NFKC", text).strip().casefold()
    if folded in _WITHHELD:
        return ""
    found = _NUMBER.fullmatch(_BETWEEN.sub("", folded))
    if found is None:
        raise ValueError("no number")
    digits = from_home(found[1])
    for lead in (_TRUNK, _ABROAD):
        digits = lead.sub(r"\1", digits) if lead.fullmatch(digits) else digits
    return digits


def spellings(number: str) -> list[str]:
    """The digits of a contact's telephone that mean the number: as dialled in China, and as from abroad."""
    if not number:
        return []
    within = number.removeprefix("0")
    abroad = (f"{lead}86{nought}{within}" for lead in ("", "00") for nought in ("", "0"))
    return sorted({number, f"00{number}", *abroad})


def numbers_in(texts: Mapping[str, str], *, required: Collection[str] = ()) -> tuple[dict[str, str], list[FieldError]]:
    """The number in each text, by field, and what is wrong with them; one that is `required` is not withheld."""
    found: dict[str, str] = {}
    errors = []
    for name, text in texts.items():
        try:
            found[name] = number_of(text)
        except ValueError:
            found[name] = ""
            errors.append(FieldError(f"/{name}", "not_a_phone_number"))
        else:
            if name in required and not found[name]:
                errors.append(FieldError(f"/{name}", "not_a_phone_number"))
    return found, errors


def with_number(given: Mapping[str, Any], field: str, number: str) -> tuple[dict[str, Any], list[FieldError]]:
    """What a form says of a customer, with the number in its `field`; what is wrong where it says another one there."""
    said = given.get(field)
    if not said:
        return {**given, field: number}, []
    found, errors = numbers_in({field.replace(".", "/"): said})
    if not errors and number not in found.values():
        errors = [FieldError(f"/{field.replace('.', '/')}", "not_the_callers_number")]
    return dict(given), errors
