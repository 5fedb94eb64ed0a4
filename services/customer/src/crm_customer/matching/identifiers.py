"""Numbers, domains and codes that a company has of its own. Pure functions."""

import re
from collections.abc import Iterator
from functools import cache

from crm_customer.matching.words import folded, lines

_BETWEEN_PHONES = re.compile(r"[/;,、|]|转.*$")
_NO_DIGIT = re.compile(r"[^0-9]")
_FROM_ABROAD = re.compile(r"(?:00)?86(0?)([0-9]{10,11})")
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_SHORTEST_PHONE, _FEWEST_DIGITS = 7, 3
_CREDIT_CODE = re.compile(r"[0-9A-HJ-NP-RTUWXY]{18}")


def numbers(phones: str) -> Iterator[str]:
    """Numbers out of a text of one or several, as digits: +86 138-0013-8001 -> 13800138001. What is none is left out."""
    for text in _BETWEEN_PHONES.split(folded(phones)):
        digits = from_home(_NO_DIGIT.sub("", text))
        if len(digits) >= _SHORTEST_PHONE and len(set(digits[-_SHORTEST_PHONE:])) >= _FEWEST_DIGITS:
            yield digits


def from_home(digits: str) -> str:
    """A number as dialled in China."""
    match = _FROM_ABROAD.fullmatch(digits)
    return digits if not match else match[2] if _MOBILE.fullmatch(match[2]) else "0" + match[2]


def domain(email: str) -> str:
    """The domain of an address that a company has of its own, or an empty text."""
    found = folded(email).strip().rpartition("@")[2].removeprefix("www.")
    return "" if found in _public_domains() or "." not in found else found


@cache
def _public_domains() -> frozenset[str]:
    return frozenset(lines("public_domains.txt"))


def credit_code(given: str) -> str:
    """A unified social credit code in its one form, or an empty text for what is none."""
    code = "".join(folded(given).split()).replace("-", "").upper()
    return code if _CREDIT_CODE.fullmatch(code) else ""
