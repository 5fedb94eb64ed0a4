"""Places of China in names of companies, by codes of GB/T 2260."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from crm_customer.matching.words import brand_end, lines

_SHORTEST_BRAND, _LONGEST_WORD = 2, 4
_MUNICIPALITIES = frozenset(["11", "12", "31", "50"])
_TOWN = re.compile(
    "(?:国家)?(?:经济技术|高新技术产业|经济)?开发区|高新区|经开区|工业园区?|保税区|自贸区|..?.?(?:街道|镇|乡)"
)


@dataclass(frozen=True, slots=True)
class _Places:
    """Codes by name: of names that mean the place anywhere, of those that do after a larger place; of cities and provinces.

    `starts`: by their first two characters all names, longest first.
    """

    alone: Mapping[str, tuple[str, ...]]
    within: Mapping[str, tuple[str, ...]]
    large: Mapping[str, str]
    starts: Mapping[str, tuple[str, ...]]


def place(name: str) -> str:
    """Code of the place called `name`, the largest of several; empty if it is none."""
    return _places().alone.get(name, ("",))[0]


def large_place_in(text: str) -> int:
    """Where a city or a province begins in `text` behind a brand; its length if there is none."""
    large = _places().large
    starts = range(_SHORTEST_BRAND, len(text) - 1)
    return next(
        (start for start in starts if any(text[start : start + size] in large for size in (2, 3, 4))), len(text)
    )


def same_place(one: str, other: str) -> bool:
    """Whether a code is of the same place as another or lies in it."""
    one, other = _stem(one), _stem(other)
    return one.startswith(other) or other.startswith(one)


def without_region(text: str, latin: str) -> tuple[str, str]:
    """A name without the places at its beginning, or before its usual words; and the smallest of them.

    A place stays where nothing but usual words would be left (上海电气), unless the name has a brand in `latin` letters.
    """
    region, rest = "", text
    for _level in ("province", "city", "county"):
        size, code = _place_at_start(rest, region)
        region = code or region
        if not code or (not latin and brand_end(rest[size:]) < _SHORTEST_BRAND):
            break
        rest = rest[size:]
    town = _TOWN.match(rest) if rest != text else None
    if town and brand_end(rest[town.end() :]) >= _SHORTEST_BRAND:
        rest = rest[town.end() :]
    return (rest, region) if region else _without_last_place(text)


def _place_at_start(text: str, region: str) -> tuple[int, str]:
    """Length and code of the place that `text` begins with, inside `region` if there is one; 0 where there is none."""
    places, inside = _places(), _stem(region)
    for name in places.starts.get(text[:2], ()):
        if not text.startswith(name) or text.startswith("市政", len(name) - 1):  # 北京市政云创 is no 政云创
            continue
        codes = places.alone.get(name, ())
        if region:
            found = codes + places.within.get(name, ())
            codes = tuple(code for code in found if code.startswith(inside) and code != region)
        if codes and (len(codes) == 1 or codes[0].endswith("00")):
            return len(name), codes[0]
    return 0, ""


def _without_last_place(text: str) -> tuple[str, str]:
    """A name without the place in front of its usual words: 华夏春松北京科技 -> 华夏春松科技."""
    large = _places().large
    for end in (len(text), brand_end(text)):
        for size in (2, 3, 4):
            code = large.get(text[max(end - size, 0) : end])
            head = text[: end - size]
            if code and len(head) >= _SHORTEST_BRAND and (brand_end(head) or len(head) > _LONGEST_WORD):
                return head + text[end:], code
    return text, ""


def _stem(code: str) -> str:
    """The digits that codes of places inside share: 310000 and 310100, the same, -> 31."""
    if code[:2] in _MUNICIPALITIES and code[2:] in {"0000", "0100"}:
        return code[:2]
    return code.removesuffix("00").removesuffix("00")


@cache
def _places() -> _Places:
    alone: dict[str, tuple[str, ...]] = {}
    within: dict[str, tuple[str, ...]] = {}
    for line in lines("places.txt"):
        code, _, names = line.partition(" ")
        anywhere, _, inside = names.partition("|")
        for table, known in ((alone, anywhere), (within, inside)):
            for name in known.split():
                table[name] = (*table.get(name, ()), code)
    large = {name: codes[0] for name, codes in alone.items() if codes[0].endswith("00") and not name.isascii()}
    by_start = groupby(sorted({*alone, *within}, key=lambda name: (name[:2], -len(name))), lambda name: name[:2])
    return _Places(alone, within, large, {start: tuple(names) for start, names in by_start})
