"""What a customer's fields may hold: one set of rules for the form and for imports (A.3, D-29). Pure functions."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chassis.errors import FieldError
from crm_customer.contacts import rules as contact_rules
from crm_customer.contacts.rules import Broken, text_up_to
from crm_customer.dictionaries.rules import DICTIONARIES, Options, Regions

_POSTCODE = re.compile(r"[0-9]{6}")
_RATING = re.compile(r"([1-3一二三])(\.0+)?\s*(星|stars?)?", re.IGNORECASE)
_STARS = {"一": 1, "二": 2, "三": 3}


@dataclass(frozen=True)
class Reference:
    """What values are checked against: options, regions, and the pattern of mobile numbers."""

    options: Options
    regions: Regions
    mobile: re.Pattern[str]


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
    "contact.name": _up_to(50),
    "contact.salutation": _up_to(50),
    "contact.email": lambda value, _reference: contact_rules.email(value),
    "contact.position": _up_to(50),
    "contact.qq": lambda value, _reference: contact_rules.qq(value),
    "contact.phone": _up_to(20),
    "contact.mobile": lambda value, reference: contact_rules.mobile(value, reference.mobile),
    "contact.remark": _up_to(500),
}
FIELDS = (*RULES, "city")


def checked(
    texts: Mapping[str, str | None], reference: Reference, province: str | None = None
) -> tuple[dict[str, Any], list[Problem]]:
    """Clean values of the fields given, and everything wrong with them. Empty texts become None.

    `province` is the customer's present one, for a city that comes without any.
    """
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for name in FIELDS:
        if name not in texts:
            continue
        value = (texts[name] or "").strip()
        try:
            if "\0" in value:
                raise Broken("null_character")
            if name != "city":
                values[name] = RULES[name](value, reference) if value else None
        except Broken as broken:
            problems.append(Problem(name, broken.code, value, broken.parameters))
    if "city" in texts and not any(problem.field in ("province", "city") for problem in problems):
        try:
            values["city"] = _city((texts["city"] or "").strip(), values.get("province", province), reference)
        except Broken as broken:
            problems.append(Problem("city", broken.code, texts["city"] or ""))
    return values, problems


def _city(value: str, province: str | None, reference: Reference) -> str | None:
    if not value:
        return None
    if province is None:
        raise Broken("province_required")
    code = reference.regions.city(province, value)
    if code is None:
        raise Broken("city_not_in_province")
    return code


def settle_city(values: dict[str, Any], current: Mapping[str, Any], reference: Reference) -> None:
    """Changing the province clears a city that lies elsewhere (A-43)."""
    city = current.get("city")
    if "province" in values and "city" not in values and city is not None:
        province = values["province"]
        if province is None or reference.regions.city(province, city) is None:
            values["city"] = None


def split(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Values of the customer itself and, without their prefix, of its primary contact."""
    customer = {name: value for name, value in values.items() if not name.startswith("contact.")}
    contact = {name.removeprefix("contact."): value for name, value in values.items() if name.startswith("contact.")}
    return customer, contact


def require_name(values: Mapping[str, Any], problems: list[Problem], *, creating: bool) -> None:
    """Add the problem of a customer that would be left without a name (A-35)."""
    wanted = creating or "name" in values
    if wanted and not values.get("name") and not any(problem.field == "name" for problem in problems):
        problems.append(Problem("name", "missing"))


def refuse_remark_alone(contact: Mapping[str, Any], problems: list[Problem]) -> None:
    """Add the problem of a remark on a contact that does not exist: a remark alone makes none (A-53), and losing it
    silently would be worse.
    """
    broken = any(problem.field.startswith("contact.") for problem in problems)
    if contact.get("remark") and not contact_rules.is_filled(contact) and not broken:
        problems.append(Problem("contact.remark", "contact_remark_alone"))
