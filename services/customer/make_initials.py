"""Writes search/initials.txt, once for a version of pypinyin's data: `uv run services/customer/make_initials.py`."""

# /// script
# dependencies = ["pypinyin==0.55.0"]
# ///
import unicodedata
from collections import defaultdict
from itertools import chain
from pathlib import Path

from pypinyin.phrases_dict import phrases_dict
from pypinyin.pinyin_dict import pinyin_dict

TABLE = Path(__file__).parent / "src/crm_customer/search/initials.txt"
LAST, FEW = 0xFFFF, 5


def letter(reading: str) -> str:
    """The first letter of a reading, without its tone."""
    return unicodedata.normalize("NFD", reading)[0]


def spoken() -> dict[str, list[str]]:
    """By character: the first letters of its readings, one for each word that it is in."""
    found: dict[str, list[str]] = defaultdict(list)
    for word, syllables in phrases_dict.items():
        if len(word) == len(syllables):
            for character, readings in zip(word, syllables, strict=True):
                found[character] += map(letter, readings)
    return found


def main() -> None:
    """Of each character the first reading and those it has in words; of one that is in few words, the first two."""
    in_words, table = spoken(), defaultdict(list)
    for point, readings in sorted(pinyin_dict.items()):
        letters, known = list(map(letter, readings.split(","))), in_words[chr(point)]
        common = {*letters[: 1 if len(known) >= FEW else 2], *set(known).intersection(letters)}
        if point <= LAST:
            table["".join(sorted(common))].append(chr(point))
    lines = chain.from_iterable((letters, " ", "".join(table[letters]), "\n") for letters in sorted(table))
    TABLE.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
