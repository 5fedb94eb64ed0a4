"""Which column fills which field: guessed from the header (D-17)."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from crm_import.kinds.kind import Kind
from crm_import.mapping.forms import DigitsLost, digits

_BRACKETS = re.compile(r"[()\[\]【】<>]")
_BRACKETED = re.compile(r"[(\[【<].*?[)\]】>]")
_DECORATION = re.compile(r"[\s*_\-.:/\\'\"]+")
_MOBILE = re.compile(r"1[0-9]{10}")
_BETWEEN_DIGITS = re.compile(r"[\s-]")
ID = "id"  # the match field that no two records share
_COUNTRY = re.compile(r"^(\+|00)?86(?=1)")


def plain(header: str) -> str:
    """A header without case, width, blanks, stars and remarks in brackets: `＊手机号码（必填）` → `手机号码`."""
    text = unicodedata.normalize("NFKC", header).casefold()
    return _DECORATION.sub("", _BRACKETED.sub("", text))


def whole(header: str) -> str:
    """The same with what stands in brackets: `[账单地址]街道` → `账单地址街道`."""
    return _DECORATION.sub("", _BRACKETS.sub("", unicodedata.normalize("NFKC", header).casefold()))


@dataclass(frozen=True)
class _Headers:
    """The whole headers by which one kind's fields are known: their labels, all of them, and those that follow words
    for what the fields belong to.
    """

    labels: Mapping[str, str]
    known: Mapping[str, str]
    prefixed: Sequence[tuple[re.Pattern[str], Mapping[str, str]]]
    known_files: Sequence[Mapping[str, str | None]]


@lru_cache(maxsize=32)
def _headers(kind: Kind) -> _Headers:
    labels = [(header, field.name) for field in kind.fields for header in (field.name, field.zh, field.en)]
    usual = [(header, field.name) for field in kind.fields for header in field.headers]
    return _Headers(
        labels=_by_header(labels),
        known=_by_header([*labels, *usual]),
        prefixed=[
            (re.compile(f"^({words})(的|s)?"), _by_header(_belonging(kind, prefix)))
            for words, prefix in kind.header_prefixes
        ],
        known_files=[{whole(header): field for header, field in file.fields} for file in kind.known_files],
    )


def _belonging(kind: Kind, prefix: str) -> Iterable[tuple[str, str]]:
    for field in kind.fields:
        owner, dot, own_name = field.name.rpartition(".")
        if owner + dot == prefix:
            yield from ((header, field.name) for header in (own_name, field.zh, field.en, *field.headers))


def _by_header(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    names: dict[str, str] = {}
    for header, name in headers:
        names.setdefault(whole(header), name)
    return names


def guess_mapping(headers: Sequence[str], kind: Kind, samples: Sequence[str] = ()) -> list[str | None]:
    """For each column its field. A field is given once: to the column that bears its label, else to the first
    that may mean it, so that 手机 wins over an earlier 移动电话. A phone column whose first value (in `samples`)
    is a mobile number is the mobile, when there is no other; so is the first such column of a file without headers. A
    known file of another system is taken as that.
    """
    words = _headers(kind)
    known = _known_file(headers, words)
    found: list[str | None] = [None] * len(headers)
    guesses: tuple[Callable[[str], str | None], ...] = (
        lambda header: known.get(whole(header)),
        lambda header: words.labels.get(whole(header)) or words.labels.get(plain(header)),
        lambda header: _meant(header, words),
    )
    for number, guess in enumerate(guesses):
        for index, header in enumerate(headers):
            settled = found[index] is not None or (number > 0 and whole(header) in known)
            field = None if settled else guess(header)
            if field is not None and field not in found:
                found[index] = field
    if samples and kind.mobile and kind.phone in found and kind.mobile not in found:
        phone = found.index(kind.phone)
        if match_key(samples[phone], is_mobile=True):
            found[phone] = kind.mobile
    if kind.mobile and not any(headers):
        mobiles = (index for index, sample in enumerate(samples) if match_key(sample, is_mobile=True))
        first = next(mobiles, None)
        if first is not None:
            found[first] = kind.mobile
    return found


def _meant(header: str, words: _Headers) -> str | None:
    """The field that a column headed `header` most likely holds, or None."""
    text = plain(header)
    for form in (whole(header), text):
        if form in words.known:
            return words.known[form]
    for prefix, known in words.prefixed:
        rest = prefix.sub("", text, count=1)
        if rest != text and rest in known:
            return known[rest]
    return None


def _known_file(headers: Sequence[str], words: _Headers) -> Mapping[str, str | None]:
    """The fields by whole header of the known file of which the first and half the headers are there; empty: of none."""
    given = {whole(header) for header in headers}
    for file in words.known_files:
        if next(iter(file)) in given and 2 * len(given & file.keys()) >= len(file):
            return file
    return {}


def usual_match_fields(kind: Kind, mapped: Mapping[str, int], columns: Iterable[Mapping[str, Any]]) -> list[str]:
    """The match fields of a file until somebody chooses others: those of its kind, before them the id where the column
    that fills it begins with one, as in an export that comes back (E-09). Numbers of another system are none.
    """
    begins = {column["index"]: column["sample"] for column in columns}
    has_ids = ID in kind.match_fields and ID in mapped and _is_id(begins.get(mapped[ID], ""))
    return [*([ID] if has_ids else []), *kind.default_match_fields]


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def usable_match_fields(match_fields: Sequence[str], mapped: Mapping[str, int], kind: Kind) -> list[str]:
    """Those match fields that a column fills, in their order, and another that which they match within: the others can
    never match (D-20).
    """
    return [
        name
        for name in match_fields
        if kind.matched_column(name) in mapped and kind.match_within.get(name, kind.matched_column(name)) in mapped
    ]


def fitted(
    fields: Iterable[Mapping[str, str]], columns: Iterable[Mapping[str, Any]]
) -> tuple[list[dict[str, Any]], list[str]]:
    """A saved mapping, `{header, field}`, on the columns of a file, and its headers that none of them bears. Of columns
    with the same header the first that is free is meant.
    """
    free: dict[str, list[int]] = {}
    for column in columns:
        free.setdefault(whole(column["header"]), []).append(column["index"])
    mapping, missing = [], []
    for entry in fields:
        borne = free.get(whole(entry["header"]))
        if borne:
            mapping.append({"column": borne.pop(0), "field": entry["field"]})
        else:
            missing.append(entry["header"])
    return mapping, missing


def date_order_of(columns: Iterable[Mapping[str, Any]]) -> str | None:
    """The order in which a file's days are written, going by its `columns` as previewed; None: none, or either."""
    settled = {column["date_orders"][0] for column in columns if len(column.get("date_orders", ())) == 1}
    return settled.pop() if len(settled) == 1 else None


def match_keys(texts: Sequence[str], *, is_mobile: bool) -> list[str]:
    """`match_key` of each text of a column."""
    if not is_mobile:
        plain = unicodedata.normalize("NFKC", "\n".join(texts)).lower().split("\n")
        if len(plain) == len(texts):
            return ["".join(text.split()) for text in plain]
    return [match_key(text, is_mobile=is_mobile) for text in texts]


def match_key(text: str, *, is_mobile: bool) -> str:
    """The form in which two values of a match field are the same; empty when there is nothing to compare: many
    rows may say 无 where a mobile is missing.
    """
    if not is_mobile:
        return "".join(unicodedata.normalize("NFKC", text).lower().split())
    if _MOBILE.fullmatch(text):
        return text
    try:
        number = _COUNTRY.sub("", _BETWEEN_DIGITS.sub("", digits(text)))
    except DigitsLost:
        return ""
    return number if _MOBILE.fullmatch(number) else ""
