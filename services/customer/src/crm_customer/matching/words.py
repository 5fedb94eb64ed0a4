"""The tables of this folder: simplified characters, and the usual words that names of companies end with."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

_SHORTEST_BRAND, _SHORTEST_LATIN = 2, 3
_CACHED = 1 << 16
_LATIN_START = re.compile(r"(?=[0-9]*[a-z])[a-z0-9]+")


class Parts(NamedTuple):
    """A core taken apart: Latin letters, Chinese brand, and the trades that its usual words say (numbers of families).

    `is_vague`: it has words that say nothing of a trade, so none was left out (万科企业).
    """

    latin: str
    brand: str
    trades: frozenset[int]
    is_group: bool
    is_vague: bool


@dataclass(frozen=True, slots=True)
class _Words:
    """Usual words: by word the number of its family, by last character the lengths of words, the longest first; the families
    that are neutral, groups, both of these and shops, subsidiaries; names that members of a group bear in front; grams of all.
    """

    families: Mapping[str, int]
    sizes: Mapping[str, Sequence[int]]
    neutral: frozenset[int]
    groups: frozenset[int]
    without_trade: frozenset[int]
    subsidiaries: frozenset[int]
    in_front: frozenset[str]
    grams: frozenset[str]


def folded(text: str) -> str:
    """`text` in half width, lower case, simplified characters."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return text.translate(_simplified()) if _traditional().search(text) else text


@lru_cache(_CACHED)
def parts(core: str) -> Parts:
    """A core taken apart. 华夏春松科技发展 -> 华夏春松 and the trade of 科技."""
    start = _LATIN_START.match(core)
    latin, found = _without_words(start.group(), _SHORTEST_LATIN) if start else ("", [])
    brand, more = _without_words(core[start.end() :], 0) if start else _without_words(core, _SHORTEST_BRAND)
    words, families = _words(), frozenset(found + more)
    is_group, is_vague = not families.isdisjoint(words.groups), not families.isdisjoint(words.neutral)
    return Parts(latin, brand, families - words.without_trade, is_group, is_vague)


def brand_end(text: str) -> int:
    """Where the usual words begin that `text` ends with; 0 if it is made of them alone."""
    return len(_without_words(text, 0)[0])


def is_usual(gram: str) -> bool:
    """Whether a gram is one of usual words, which tell little."""
    return gram in _words().grams


def has_subsidiary(trades: frozenset[int]) -> bool:
    """Whether one of `trades` is what groups leave to a subsidiary (投资, 置业, 物业)."""
    return not trades.isdisjoint(_words().subsidiaries)


def group_in_front(one: str, other: str) -> int:
    """Length of the name of a group that both brands begin with; 0 if there is none."""
    return next((size for size in (3, 2) if one[:size] == other[:size] and one[:size] in _words().in_front), 0)


def lines(name: str) -> list[str]:
    """Lines of the file called `name` beside this one, without those of comment."""
    text = files("crm_customer.matching").joinpath(name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]


def _without_words(text: str, shortest: int) -> tuple[str, list[int]]:
    """`text` without the usual words at its end, as long as `shortest` characters are left; and their families."""
    words, found = _words(), list[int]()
    while True:
        for size in words.sizes.get(text[-1:], ()):
            family = words.families.get(text[-size:]) if size <= len(text) - shortest else None
            if family is not None:
                found.append(family)
                text = text[:-size]
                break
        else:
            return text, found


@cache
def _simplified() -> dict[int, str]:
    pairs = (line.split(" ") for line in lines("simplified.txt"))
    return {ord(traditional): character for character, given in pairs for traditional in given}


@cache
def _traditional() -> re.Pattern[str]:
    return re.compile(f"[{''.join(map(chr, _simplified()))}]")


@cache
def _words() -> _Words:
    families: dict[str, int] = {}
    marked: dict[str, set[int]] = {mark: set() for mark in "~+=!^*"}
    grams: set[str] = set()
    in_front: set[str] = set()
    for number, line in enumerate(lines("common_words.txt")):
        mark = line[0] if line[0] in marked else ""
        words = line.removeprefix(mark).split()
        if mark:
            marked[mark].add(number)
        if mark == "^":
            in_front.update(words)
            continue
        if mark != "*":
            families |= dict.fromkeys(words, number)
        grams.update(word[at : at + 2] for word in words if not word.isascii() for at in range(max(len(word) - 1, 1)))
    sizes: dict[str, set[int]] = {}
    for word in families:
        sizes.setdefault(word[-1], set()).add(len(word))
    neutral, groups, shops, subsidiaries = (frozenset(marked[mark]) for mark in "~+=!")
    without_trade = neutral | groups | shops
    return _Words(
        families,
        {end: sorted(found, reverse=True) for end, found in sizes.items()},
        neutral,
        groups,
        without_trade,
        subsidiaries,
        frozenset(in_front),
        frozenset(grams),
    )
