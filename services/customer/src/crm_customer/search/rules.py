"""What is compared when searching and matching: normalised texts, their bigrams, initials. Pure functions."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from itertools import pairwise
from operator import add
from string import ascii_lowercase, digits

# Addresses and initials share the index of names; these marks keep their bigrams apart.
ADDRESS, INITIALS = "@", "^"
_SHORTEST_NUMBER = 3
_NUMBER = re.compile(r"(?:\+86)?([0-9()-]+)")
_ASKED_AS_INITIALS = re.compile(r"[0-9]*[a-z][a-z0-9]*")


def normalised(text: str) -> str:
    """`text` for comparison: NFKC, lower case, without any white space. 华夏 Ａ -> 华夏a."""
    return "".join(unicodedata.normalize("NFKC", text).lower().split())


def all_normalised(texts: Sequence[str]) -> list[str]:
    """The same of many texts, at once; they hold no NUL, which stands between them meanwhile and changes nothing."""
    return normalised("\0".join(texts)).split("\0") if texts else []


def bigrams(text: str) -> set[str]:
    """Every two neighbouring characters of a normalised text; empty when it is shorter."""
    return set(pairs(text))


def pairs(text: str) -> list[str]:
    """The same in their order, each as often as it comes."""
    return [*map(add, text, text[1:])]


def initials(name: str) -> str:
    """First letters of the pinyin of a normalised name, apart by spaces: 华夏a -> h x a.

    A character with several common readings has the letters of all, 重庆 -> cz q; a Latin letter or digit is its own;
    whatever else has none.
    """
    return name.translate(_letters()).rstrip()


def are_initials(wanted: str) -> bool:
    """Whether a normalised text may be meant as initials."""
    return len(wanted) > 1 and _ASKED_AS_INITIALS.fullmatch(wanted) is not None


def initials_pattern(wanted: str) -> str:
    """What initials that hold `wanted` match, as a regular expression: any of the letters of each character will do."""
    return "[a-z]* [a-z]*".join(wanted)


def initial_grams(groups: Iterable[str]) -> set[str]:
    """Every two neighbouring letters of initials, marked. `groups`: the letters of each character, or a text of letters."""
    return {INITIALS + pair for pair in _initial_pairs([*groups])}


def _initial_pairs(groups: Sequence[str]) -> list[str]:
    together = "".join(groups)
    if len(together) == len(groups):
        return pairs(together)
    return [first + second for left, right in pairwise(groups) for first in left for second in right]


def number_in(wanted: str) -> str:
    """The digits of a text that may be a part of a telephone number: three at least; else an empty text."""
    match = _NUMBER.fullmatch(normalised(wanted))
    found = re.sub("[()-]", "", match.group(1)) if match else ""
    return found if len(found) >= _SHORTEST_NUMBER else ""


def grams_of(name: str, address: str, nickname: str, letters: str) -> str:
    """What the index keeps of a customer, each on a line: bigrams of the name and the nickname, of the address and the
    initials marked, and the nickname's first character, for the beginning of a name has an index of its own. What comes
    twice stands there twice: the index takes it once, and an import need not compare it all.
    """
    grams = [*pairs(name), *pairs(nickname), *nickname[:1]]
    marked = f"\n{ADDRESS}".join(["", *pairs(address)]) + f"\n{INITIALS}".join(["", *_initial_pairs(letters.split())])
    return ("\n".join(grams) + marked).removeprefix("\n")


class _Letters(dict[int, str]):
    """By character: its letters and a space; nothing for one that has none."""

    def __missing__(self, _character: int) -> str:
        return ""


@cache
def _letters() -> _Letters:
    table = files("crm_customer.search").joinpath("initials.txt").read_text(encoding="utf-8")
    lines = [line.split(" ") for line in table.splitlines()]
    lines += [[own, own] for own in ascii_lowercase + digits]
    return _Letters({ord(character): f"{letters} " for letters, characters in lines for character in characters})
