"""What a customer's fields may hold: one set of rules for the form and for imports (A.3, D-29). Pure functions."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from itertools import chain, repeat
from typing import Any

from chassis.errors import FieldError
from crm_customer.contacts import rules as contact_rules
from crm_customer.contacts.rules import Broken, text_up_to
from crm_customer.dictionaries.rules import DICTIONARIES, Options, Regions
from crm_customer.fields.rules import Field
from crm_customer.profiles import rules as profile_rules

COMPANY, INDIVIDUAL = "company", "individual"
_POSTCODE = re.compile(r"[0-9]{6}")
_RATING = re.compile(r"([1-3一二三])(\.0+)?\s*(星|stars?)?", re.IGNORECASE)
_STARS = {"一": 1, "二": 2, "三": 3}


@dataclass(frozen=True)
class Reference:
    """What values are checked against: options, regions, the pattern of mobile numbers, and the custom fields that
    whoever fills them in sees, by key.
    """

    options: Options
    regions: Regions
    mobile: re.Pattern[str]
    custom: Mapping[str, Field] = dataclasses.field(default_factory=dict)

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The fields that no customer may be without."""
        return ("name", *(f"custom.{key}" for key, field in self.custom.items() if field.required))

    @cached_property
    def cleaned(self) -> Mapping[str, Mapping[str, Any]]:
        """By field: clean values by text, or the Broken that says what is wrong with it. Filled as they are asked for: rows
        of a file repeat what they say.
        """
        return _Kept(lambda name: _Kept(partial(_tried, _cleaning(name, self))))

    @cached_property
    def cities(self) -> Mapping[tuple[str, str | None], Any]:
        """Codes of cities by what a person wrote and the province, or the Broken; in the same way."""
        return _Kept(lambda written: _city(written[0], written[1], self))


class _Kept(dict[Any, Any]):
    """What a function makes of each key, kept."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: Any) -> Any:
        value = self[key] = self._make(key)
        return value


@dataclass(frozen=True)
class Problem:
    """One wrong value: the dotted field, a stable code, the text as given and the parameters of the message."""

    field: str
    code: str
    value: str = ""
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def error(self) -> FieldError:
        """As an error of a REST body."""
        return FieldError("/" + self.field.replace(".", "/"), self.code, {"value": self.value, **self.parameters})


_Rule = Callable[[str, Reference], Any]


def _up_to(max_length: int) -> _Rule:
    return lambda value, _reference: text_up_to(max_length, value)


def _option(dictionary: str) -> _Rule:
    def rule(value: str, reference: Reference) -> str:
        key = reference.options.find(dictionary, value)
        if key is None:
            raise Broken("unknown_option")
        return key

    return rule


def _postcode(value: str, _reference: Reference) -> str:
    if not _POSTCODE.fullmatch(value):
        raise Broken("postcode_invalid")
    return value


def _rating(value: str, _reference: Reference) -> int:
    match = _RATING.fullmatch(value)
    if match is None:
        raise Broken("rating_invalid")
    return _STARS.get(match.group(1)) or int(match.group(1))


def _extended(rule: Callable[[str], Any]) -> _Rule:
    return lambda value, _reference: rule(value)


def _province(value: str, reference: Reference) -> str:
    code = reference.regions.province(value)
    if code is None:
        raise Broken("unknown_option")
    return code


RULES: Mapping[str, _Rule] = {
    "name": _up_to(50),
    **{dictionary: _option(dictionary) for dictionary in DICTIONARIES},
    "postcode": _postcode,
    "rating": _rating,
    "province": _province,
    "address_detail": _up_to(100),
    "remark": _up_to(500),
    "wechat_nickname": _up_to(50),
    "contact.name": _up_to(50),
    "contact.salutation": _up_to(50),
    "contact.email": lambda value, _reference: contact_rules.email(value),
    "contact.position": _up_to(50),
    "contact.qq": lambda value, _reference: contact_rules.qq(value),
    "contact.phone": _up_to(20),
    "contact.mobile": lambda value, reference: contact_rules.mobile(value, reference.mobile),
    "contact.remark": _up_to(500),
    **{f"profile.{name}": _extended(rule) for name, rule in profile_rules.RULES.items()},
}
FIELDS = (*RULES, "city")
_CHOSEN = frozenset(DICTIONARIES)
_KEPT_NUMBERS = {option: f"profile.{number}" for option, number in profile_rules.NUMBERS.items()}
# What entries of the audit say besides fields: the version reached, the import that caused it or its undo, and what the
# undo needs to know.
ABOUT = frozenset({"version", "source_job", "source_contact", "source_tags", "undone_job"})


def checked(
    given: Mapping[str, Any], reference: Reference, province: str | None = None
) -> tuple[dict[str, Any], list[Problem]]:
    """Clean values of the fields given, and everything wrong with them. Empty texts become None.

    `given` are texts, of custom fields also JSON; `province` is the customer's present one, for a city that comes
    without any.
    """
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for name in _in_order(tuple(given)):
        text = given[name]
        value = reference.cleaned[name][text] if isinstance(text, str) else _tried(_cleaning(name, reference), text)
        if isinstance(value, Broken):
            problems.append(_problem(name, text, value))
        else:
            values[name] = value
    if "city" in values:
        _place_city(values, given["city"], reference, problems, province)
    for option in profile_rules.NUMBERS:
        _pair_number(values, option, given.get(option), reference, problems)
    return values, problems


def checked_columns(
    given: Mapping[str, Sequence[str]], count: int, reference: Reference
) -> tuple[list[dict[str, Any]], list[list[Problem]]]:
    """The same of `count` customers of whom the same fields are given as texts, by column."""
    columns = {name: [*map(reference.cleaned[name].__getitem__, given[name])] for name in _in_order(tuple(given))}
    cells = zip(*columns.values(), strict=True) if columns else repeat((), count)
    rows = [dict(zip(columns, own, strict=True)) for own in cells]
    problems: list[list[Problem]] = [[] for _ in rows]
    for name, column in columns.items():
        if any(isinstance(value, Broken) for value in reference.cleaned[name].values()):
            _take_broken(name, column, given[name], rows, problems)
    if "city" in columns:
        for values, text, wrong in zip(rows, given["city"], problems, strict=True):
            if "city" in values:
                _place_city(values, text, reference, wrong)
    for option, number in profile_rules.NUMBERS.items():
        if option in columns or f"profile.{number}" in columns:
            texts = given.get(option) or repeat("", len(rows))
            for values, text, wrong in zip(rows, texts, problems, strict=True):
                _pair_number(values, option, text, reference, wrong)
    return rows, problems


def _take_broken(
    name: str,
    column: Sequence[Any],
    texts: Sequence[str],
    rows: Sequence[dict[str, Any]],
    problems: Sequence[list[Problem]],
) -> None:
    """Instead of what is broken in a column, rows have problems."""
    for value, text, values, wrong in zip(column, texts, rows, problems, strict=True):
        if isinstance(value, Broken):
            wrong.append(_problem(name, text, value))
            del values[name]


def _problem(name: str, given: Any, broken: Broken) -> Problem:
    return Problem(name, broken.code, given.strip() if isinstance(given, str) else str(given or ""), broken.parameters)


@lru_cache(maxsize=256)
def _in_order(names: tuple[str, ...]) -> tuple[str, ...]:
    """Those that are fields, in the form's order, then custom ones; the rows of a file all have the same."""
    return (*(name for name in FIELDS if name in names), *filter(is_custom, names))


def is_custom(name: str) -> bool:
    """Whether a flat name is that of a custom field."""
    return name.startswith("custom.")


def _tried(clean: Callable[[Any], Any], given: Any) -> Any:
    try:
        return clean(given)
    except Broken as broken:
        return broken


def _cleaning(name: str, reference: Reference) -> Callable[[Any], Any]:
    """How values of a field are cleaned; it raises Broken."""
    if is_custom(name):
        field = reference.custom.get(name.removeprefix("custom."))
        return field.clean if field else _refuse_unknown
    rule = RULES.get(name)

    def clean(given: Any) -> Any:
        value = (given or "").strip()
        if "\0" in value:
            raise Broken("null_character")
        return rule(value, reference) if value and rule else None

    return clean


def _refuse_unknown(_given: Any) -> None:
    raise Broken("unknown_field")


def _place_city(
    values: dict[str, Any], text: str | None, reference: Reference, problems: list[Problem], province: str | None = None
) -> None:
    """The city lies in the province given, else in `province`; where that is broken nothing is said of the city."""
    if problems and any(problem.field == "province" for problem in problems):
        del values["city"]
        return
    found = reference.cities[(text or "").strip(), values.get("province", province)]
    if isinstance(found, Broken):
        problems.append(Problem("city", found.code, text or ""))
        del values["city"]
    else:
        values["city"] = found


def _city(value: str, province: str | None, reference: Reference) -> str | Broken | None:
    if not value:
        return None
    if province is None:
        return Broken("province_required")
    return reference.regions.city(province, value) or Broken("city_not_in_province")


def _pair_number(
    values: dict[str, Any], option: str, text: Any, reference: Reference, problems: Sequence[Problem]
) -> None:
    """A number that picks a range is kept beside it, and one to be kept picks its range; what both say stays (X-20).

    `text`: as the option was given.
    """
    kept = _KEPT_NUMBERS[option]
    chosen, number = values.get(option), values.get(kept)
    if bool(chosen) is (number is not None) or any(problem.field in (option, kept) for problem in problems):
        return
    if chosen:
        found = kept, profile_rules.number_of(option, text)
    else:
        picked = reference.options.find(option, str(number))
        found = option, picked if picked and reference.options.offers(option, picked) else None
    if found[1] is not None:
        values[found[0]] = found[1]


def settle(values: Mapping[str, Any], current: Mapping[str, Any], reference: Reference) -> dict[str, Any]:
    """`values` with what follows from them for a customer that is as in `current`, empty for a new one.

    Changing the province clears a city that lies elsewhere (A-43). Who is not said to be an individual is a company; an
    individual's contact that is called like it goes on being so (X-18).
    """
    settled = dict(values)
    city = current.get("city")
    if "province" in values and "city" not in values and city is not None:
        province = values["province"]
        if province is None or reference.regions.city(province, city) is None:
            settled["city"] = None
    kind = settled.get("kind", current.get("kind")) or COMPANY
    if "kind" in values or not current.get("kind"):
        settled["kind"] = kind
    renamed = "name" in values and "contact.name" not in values
    if kind == INDIVIDUAL and renamed and current.get("contact.name") == current.get("name"):
        settled["contact.name"] = values["name"]
    return settled


@dataclass(frozen=True)
class Parts:
    """Values by where they are kept, without the prefixes that they travel with."""

    own: dict[str, Any]
    contact: dict[str, Any]
    profile: dict[str, Any]
    custom: dict[str, Any]

    def flat(self) -> dict[str, Any]:
        """All of them, as contact.mobile, profile.website, custom.<key>."""
        prefixed = {f"{part}.{name}": value for part in _PARTS for name, value in getattr(self, part).items()}
        return self.own | prefixed


_PARTS = ("contact", "profile", "custom")


def split(values: Mapping[str, Any]) -> Parts:
    """Flat values by where they are kept."""
    return Parts(*({field: values[name] for field, name in names} for names in _by_part(tuple(values))))


@lru_cache(maxsize=256)
def _by_part(names: tuple[str, ...]) -> tuple[tuple[tuple[str, str], ...], ...]:
    """Of each part, the fields with the flat names that they have among `names`."""
    placed = [(name.rpartition("."), name) for name in names]
    return tuple(
        tuple((field, name) for (prefix, _, field), name in placed if prefix == part) for part in ("", *_PARTS)
    )


def part_columns(part: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Of many customers' flat values those kept in one part ("" for the customer's own), by column; None: not given."""
    names = dict.fromkeys(chain.from_iterable({tuple(row) for row in rows}))
    own = _by_part(tuple(names))[("", *_PARTS).index(part)]
    return {field: [row.get(name) for row in rows] for field, name in own}


def masked(name: str, value: Any) -> Any:
    """The value of a hidden field, by its flat name, as a stranger sees it; of what is no text, nothing."""
    part, _, field = name.rpartition(".")
    if part in _MASKS:
        return _MASKS[part](field, value)
    return "****" if value and name in _TEXTS else None


_MASKS = {"contact": contact_rules.masked, "profile": profile_rules.masked}
_TEXTS = ("postcode", "address_detail", "remark", "wechat_nickname")


def changed_fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of what differs; what one side does not have is empty there."""
    return tuple(name for name in {**before, **after} if before.get(name) != after.get(name))


def require_filled(values: Mapping[str, Any], reference: Reference, problems: list[Problem], *, creating: bool) -> None:
    """Add the problems of a customer that would be left without a name (A-35) or a required custom field (A-83).

    One from before the field was required can be changed in others.
    """
    broken = {problem.field for problem in problems}
    problems += [
        Problem(name, "missing")
        for name in reference.required
        if (creating or name in values) and name not in broken and values.get(name) in (None, "")
    ]


def refuse_inactive(
    values: Mapping[str, Any], current: Mapping[str, Any], reference: Reference, problems: list[Problem]
) -> None:
    """Add the problem of each option that is chosen although it is offered no more (X-21)."""
    for name in _choosing(tuple(values)):
        chosen = _inactive(name, values[name], current.get(name), reference)
        if chosen is not None:
            problems.append(Problem(name, "option_inactive", chosen))


def all_offered(names: Iterable[str], reference: Reference) -> bool:
    """Whether every option that texts of these fields have meant so far can be chosen, so that no row need be looked at."""
    return not any(
        _inactive(name, value, None, reference)
        for name in _choosing(tuple(names))
        for value in reference.cleaned[name].values()
        if not isinstance(value, Broken)
    )


def _inactive(name: str, value: Any, current: Any, reference: Reference) -> str | None:
    if is_custom(name):
        return reference.custom[name.removeprefix("custom.")].inactive(value, current)
    return None if value in (None, current) or reference.options.offers(name, value) else value


@lru_cache(maxsize=256)
def _choosing(names: tuple[str, ...]) -> tuple[str, ...]:
    """Those whose values may be options."""
    return tuple(name for name in names if name in _CHOSEN or is_custom(name))


def refuse_postcodes(given: Mapping[str, Any], after: Mapping[str, Any], problems: list[Problem]) -> None:
    """Add the problems of postcodes in addresses of China; `given` and `after` are extended columns."""
    wrong = profile_rules.wrong_postcodes(given, after)
    problems += [Problem(f"profile.{name}", "postcode_invalid", after[name]) for name in wrong]


def refuse_remark_alone(contact: Mapping[str, Any], problems: list[Problem]) -> None:
    """Add the problem of a remark on a contact that does not exist: a remark alone makes none (A-53), and losing it
    silently would be worse.
    """
    if not contact.get("remark") or contact_rules.is_filled(contact):
        return
    if not any(problem.field.startswith("contact.") for problem in problems):
        problems.append(Problem("contact.remark", "contact_remark_alone"))
