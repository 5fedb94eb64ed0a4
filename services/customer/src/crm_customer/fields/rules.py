"""What a custom field may hold (A-83, decision 0019). Pure functions."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import cached_property
from typing import Any

from crm_customer.contacts.rules import Broken, text_up_to
from crm_customer.search.rules import normalised

KEY_PATTERN = "^[a-z][a-z0-9_]{0,39}$"
# Fields that are hidden count as well: they come back as they were.
MOST_FIELDS, MOST_FILTERABLE, MOST_CHOICES = 200, 20, 200
LONGEST_TEXT = 500
LARGEST_NUMBER = 10**15
# What a number of JSON holds without loss, in whatever language it is read.
_MOST_DIGITS, _MOST_DECIMALS = 15, 10
_DATE = re.compile(r"([0-9]{4})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?")
BETWEEN_CHOICES = re.compile(r"[,，;；、|\n]")


class Kind(StrEnum):
    """What a field holds; it never changes."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    SINGLE_CHOICE = "single_choice"
    MULTIPLE_CHOICE = "multiple_choice"


CHOICES = (Kind.SINGLE_CHOICE, Kind.MULTIPLE_CHOICE)


@dataclass(frozen=True)
class Choice:
    """One option of a field: `key` is stored; `active`: offered to whoever chooses."""

    key: str
    zh: str
    en: str
    active: bool = True


@dataclass(frozen=True)
class Field:
    """A custom field as its values are checked against it."""

    key: str
    kind: Kind
    required: bool = False
    choices: tuple[Choice, ...] = ()

    def clean(self, value: Any) -> Any:
        """The stored form of what a person wrote, text or JSON; None when nothing. Raises Broken.

        Choices that are offered no more are found as well: see `inactive`.
        """
        if isinstance(value, str):
            if "\0" in value:
                raise Broken("null_character")
            value = value.strip()
        if value is None or value in ("", []):
            return None
        return _CLEAN[self.kind](self, value)

    def choice(self, text: str) -> str:
        """Key of the option meant by `text`, its key or either label. Raises Broken."""
        key = self._by_text.get(normalised(text))
        if key is None:
            raise Broken("unknown_option")
        return key

    def knows(self, text: str) -> bool:
        """Whether an option is called like this."""
        return normalised(text) in self._by_text

    @cached_property
    def _by_text(self) -> Mapping[str, str]:
        named = {normalised(text): one.key for one in self.choices for text in (one.zh, one.en)}
        return named | {one.key: one.key for one in self.choices}

    def inactive(self, value: Any, current: Any) -> str | None:
        """The first option in `value` that is offered no more and is not in `current` already (X-21)."""
        if not self._off:
            return None
        kept = _keys(current)
        return next((key for key in _keys(value) if key in self._off and key not in kept), None)

    @cached_property
    def _off(self) -> frozenset[str]:
        return frozenset(choice.key for choice in self.choices if not choice.active)


def _keys(value: Any) -> Sequence[str]:
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, str) else []


def _text(_field: Field, value: Any) -> str:
    if not isinstance(value, str):
        raise Broken("string_type")
    return text_up_to(LONGEST_TEXT, value)


def _number(_field: Field, value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Broken("number_invalid")
    text = unicodedata.normalize("NFKC", str(value)).replace(",", "")
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise Broken("number_invalid") from error
    if not number.is_finite():
        raise Broken("number_invalid")
    if abs(number) > LARGEST_NUMBER:
        raise Broken("number_out_of_range")
    digits, exponent = number.normalize().as_tuple()[1:]
    if len(digits) > _MOST_DIGITS or -int(exponent) > _MOST_DECIMALS:
        raise Broken("number_invalid")
    return int(number) if int(exponent) >= 0 else float(number)


def _day(_field: Field, value: Any) -> str:
    match = _DATE.fullmatch(unicodedata.normalize("NFKC", value)) if isinstance(value, str) else None
    if match is None:
        raise Broken("date_invalid")
    try:
        return date(*map(int, match.groups())).isoformat()
    except ValueError as error:
        raise Broken("date_invalid") from error


def _single(field: Field, value: Any) -> str:
    if not isinstance(value, str):
        raise Broken("string_type")
    return field.choice(value)


def _multiple(field: Field, value: Any) -> list[str] | None:
    if isinstance(value, str):
        # Written in one cell, or one option whose words hold such a sign.
        value = [value] if field.knows(value) else [text for text in BETWEEN_CHOICES.split(value) if text.strip()]
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise Broken("list_type")
    return sorted({field.choice(text) for text in value}) or None


_CLEAN: Mapping[Kind, Any] = {
    Kind.TEXT: _text,
    Kind.NUMBER: _number,
    Kind.DATE: _day,
    Kind.SINGLE_CHOICE: _single,
    Kind.MULTIPLE_CHOICE: _multiple,
}


def index_of(key: str) -> str:
    """Name of the index that finds customers by the field."""
    return f"ix_customers_custom_{key}"


def statistics_of(key: str) -> str:
    """Name of the statistics that tell how many customers have which value: those of a partial index are not heeded."""
    return f"st_customers_custom_{key}"


def index_definition(key: str, kind: Kind) -> str:
    """What the index holds, in the words of conditions on the field (decision 0019)."""
    method, more = ("gin", "") if kind is Kind.MULTIPLE_CHOICE else ("btree", ", id")
    return f"USING {method} ({value_of(key, kind)}{more}) WHERE deleted_at IS NULL AND custom ? '{key}'"


def value_of(key: str, kind: Kind) -> str:
    """What is compared of a customer, as an expression in brackets."""
    return {Kind.NUMBER: f"((custom ->> '{key}')::numeric)", Kind.MULTIPLE_CHOICE: f"(custom -> '{key}')"}.get(
        kind, f"(custom ->> '{key}')"
    )
