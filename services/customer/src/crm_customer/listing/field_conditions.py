"""Conditions of a filter (筛选, I-06 to I-09): what was asked for, as values to compare with. Pure functions."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from chassis.errors import FieldError
from crm_customer.contacts.rules import Broken
from crm_customer.customers.rules import RULES, Reference
from crm_customer.fields.operators import CUSTOMER_FIELDS, OPERATORS, FilterKind, Operator
from crm_customer.fields.rules import Field

MOST_CONDITIONS = 20
MOST_VALUES = 50
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LONGEST_WORDS = 100
# The search table knows pairs of characters; only names are also compared by their beginning.
_SHORTEST_WORDS = {"name": 1}
_DEFAULT_SHORTEST_WORDS = 2


@dataclass(frozen=True)
class Asked:
    """One condition as it was written."""

    field: str
    operator: Operator
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class FieldCondition:
    """One condition on a customer. `values` are as stored; of BETWEEN first and last, each may be None.

    `indexed`: an index finds the customers that meet it.
    """

    field: str
    kind: FilterKind
    operator: Operator
    values: tuple[Any, ...] = ()
    indexed: bool = False

    @property
    def key(self) -> str:
        """Key of the custom field."""
        return self.field.removeprefix("custom.")

    @property
    def lies_elsewhere(self) -> bool:
        """Whether the index is on another table than customers."""
        return self.indexed and self.kind in (FilterKind.WORDS, FilterKind.TAGS)


@dataclass(frozen=True)
class Catalogue:
    """What conditions are read against: options and regions, the organisation's day, the custom fields that the member
    may filter by, the names of those that have an index (custom.<key>), tags that exist.
    """

    reference: Reference
    today: date
    custom: Mapping[str, Field] = field(default_factory=dict)
    indexed: frozenset[str] = frozenset()
    tags: frozenset[UUID] = frozenset()

    def kind(self, name: str) -> FilterKind | None:
        """What the field `name` holds; None: nothing that can be filtered by."""
        if name in CUSTOMER_FIELDS:
            return CUSTOMER_FIELDS[name]
        custom = self.custom.get(name.removeprefix("custom.")) if name.startswith("custom.") else None
        return FilterKind(custom.kind) if custom else None


def read_conditions(
    asked: Sequence[Asked], catalogue: Catalogue
) -> tuple[tuple[FieldCondition, ...], list[FieldError]]:
    """The conditions, and everything wrong with them: `/conditions/1/values/0`."""
    found: list[FieldCondition] = []
    problems: list[FieldError] = []
    for place, condition in enumerate(asked):
        wrong, meant = _read(condition, catalogue)
        problems += [FieldError(f"/conditions/{place}{one.pointer}", one.code, one.parameters) for one in wrong]
        found += meant
    return tuple(found), problems


def _read(asked: Asked, catalogue: Catalogue) -> tuple[list[FieldError], list[FieldCondition]]:
    kind = catalogue.kind(asked.field)
    if kind is None:
        return [FieldError("/field", "unknown_filter_field", {"value": asked.field[:100]})], []
    if asked.operator not in OPERATORS[kind]:
        return [FieldError("/operator", "operator_not_possible", {"expected": ", ".join(OPERATORS[kind])})], []
    wrong = _wrong_number_of_values(asked)
    if wrong:
        return [wrong], []
    values, problems = _values(asked, kind, catalogue)
    if problems:
        return problems, []
    return [], _meant(asked, kind, values, catalogue)


def _wrong_number_of_values(asked: Asked) -> FieldError | None:
    least, most = {
        Operator.EMPTY: (0, 0),
        Operator.FILLED: (0, 0),
        Operator.CONTAINS: (1, 1),
        Operator.WITHIN: (1, 1),
        Operator.BETWEEN: (2, 2),
    }.get(asked.operator, (1, MOST_VALUES))
    if len(asked.values) < least:
        return FieldError("/values", "too_short", {"min_length": least})
    if len(asked.values) > most:
        return FieldError("/values", "too_long", {"max_length": most})
    return None


def _values(asked: Asked, kind: FilterKind, catalogue: Catalogue) -> tuple[list[Any], list[FieldError]]:
    """Each value as stored, and what is wrong."""
    values: list[Any] = []
    problems: list[FieldError] = []
    for place, text in enumerate(asked.values):
        try:
            open_end = asked.operator is Operator.BETWEEN and not text
            values.append(None if open_end else _value(asked, kind, text, catalogue))
        except Broken as broken:
            problems.append(FieldError(f"/values/{place}", broken.code, {"value": text[:100], **broken.parameters}))
    if asked.operator is Operator.BETWEEN and not problems:
        first, last = values
        if first is None and last is None:
            problems.append(FieldError("/values/0", "missing"))
        elif first is not None and last is not None and first > last:
            problems.append(FieldError("/values/1", "range_reversed"))
    return values, problems


def _value(asked: Asked, kind: FilterKind, text: str, catalogue: Catalogue) -> Any:
    text = text.strip()
    if "\0" in text:
        raise Broken("null_character")
    if asked.operator is Operator.WITHIN:
        return _period(text, catalogue.today)
    if asked.operator is Operator.CONTAINS:
        return _words(asked.field, kind, text)
    if kind in _READ:
        return _READ[kind](text, catalogue)
    if kind is FilterKind.OPTION:
        return _option(asked.field, text, catalogue.reference)
    value = catalogue.custom[asked.field.removeprefix("custom.")]
    if kind in (FilterKind.SINGLE_CHOICE, FilterKind.MULTIPLE_CHOICE):
        return value.choice(text)
    if not text:
        raise Broken("missing")
    return value.clean(text)


def _words(name: str, kind: FilterKind, text: str) -> str:
    shortest = _SHORTEST_WORDS.get(name, _DEFAULT_SHORTEST_WORDS) if kind is FilterKind.WORDS else 1
    if len(text) < shortest:
        raise Broken("string_too_short", min_length=shortest)
    if len(text) > _LONGEST_WORDS:
        raise Broken("string_too_long", max_length=_LONGEST_WORDS)
    return text


def _option(name: str, text: str, reference: Reference) -> Any:
    if name == "city":
        # Names of cities are not unique, codes are.
        if text not in reference.regions.names:
            raise Broken("unknown_option")
        return text
    if name in ("rating", "province"):
        return RULES[name](text, reference)
    key = reference.options.find(name, text)
    if key is None:
        raise Broken("unknown_option")
    return key


def _record(text: str, _catalogue: Catalogue) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Broken("uuid_parsing") from error


def _tag(text: str, catalogue: Catalogue) -> UUID:
    tag_id = _record(text, catalogue)
    if tag_id not in catalogue.tags:
        raise Broken("unknown_option")
    return tag_id


def _flag(text: str, _catalogue: Catalogue) -> bool:
    if text not in ("true", "false"):
        raise Broken("bool_parsing")
    return text == "true"


def _day(text: str, _catalogue: Catalogue) -> date:
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise Broken("date_parsing")


_READ: Mapping[FilterKind, Callable[[str, Catalogue], Any]] = {
    FilterKind.RECORD: _record,
    FilterKind.MOMENT: _day,
    FilterKind.DAY: _day,
    FilterKind.DATE: _day,
    FilterKind.FLAG: _flag,
    FilterKind.TAGS: _tag,
}


def _period(name: str, today: date) -> tuple[date, date]:
    """First and last day of a period that moves with `today`; weeks begin on Monday."""
    periods = periods_of(today)
    if name not in periods:
        raise Broken("literal_error", expected=", ".join(periods))
    return periods[name]


def periods_of(today: date) -> dict[str, tuple[date, date]]:
    """The periods that a field can lie within (I-06). Those of days hold today."""
    day = timedelta(days=1)
    monday, first = today - today.weekday() * day, today.replace(day=1)
    next_first = (first + 31 * day).replace(day=1)
    return {
        "today": (today, today),
        "yesterday": (today - day, today - day),
        "this_week": (monday, monday + 6 * day),
        "last_week": (monday - 7 * day, monday - day),
        "this_month": (first, next_first - day),
        "last_month": ((first - day).replace(day=1), first - day),
        "last_7_days": (today - 6 * day, today),
        "last_30_days": (today - 29 * day, today),
        "next_7_days": (today, today + 6 * day),
        "next_30_days": (today, today + 29 * day),
    }


def _meant(asked: Asked, kind: FilterKind, values: list[Any], catalogue: Catalogue) -> list[FieldCondition]:
    operator = asked.operator
    if operator is Operator.WITHIN:
        operator, values = Operator.BETWEEN, list(values[0])
    if operator is not Operator.BETWEEN:
        values = list(dict.fromkeys(values))
    if kind is FilterKind.DATE:
        # Kept as JSON text, which sorts as days do.
        values = [value and value.isoformat() for value in values]
    if kind is FilterKind.TAGS and operator is Operator.ALL_OF:
        return [FieldCondition(asked.field, kind, Operator.ANY_OF, (tag,), indexed=True) for tag in values]
    indexed = operator in _FOUND_BY_INDEX and (
        kind in (FilterKind.TAGS, FilterKind.WORDS)
        or (operator is not Operator.CONTAINS and asked.field in catalogue.indexed)
    )
    return [FieldCondition(asked.field, kind, operator, tuple(values), indexed)]


_FOUND_BY_INDEX = (Operator.ANY_OF, Operator.ALL_OF, Operator.BETWEEN, Operator.CONTAINS)
