"""What the contact's own form may hold (B-12 to B-24). Pure functions."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from crm_customer.contacts.rules import Broken, text_up_to
from crm_customer.customers.rules import RULES, Problem, Reference
from crm_customer.search.rules import normalised

# B-13: stored in Chinese, in one column with the free text of the customer's form.
SALUTATIONS = {"先生": "Mr", "女士": "Ms", "老师": "Teacher", "医生": "Doctor", "博士": "Dr", "教授": "Professor"}
_SALUTATIONS = {normalised(word): zh for zh, en in SALUTATIONS.items() for word in (zh, en)}
_FIRST_BIRTHDAY = date(1900, 1, 1)
# As on the customer's form.
_SHARED = {name: RULES[f"contact.{name}"] for name in ("email", "position", "qq", "phone", "mobile", "remark")} | {
    "postcode": RULES["postcode"]
}
# fmt: off
FIELDS = (
    "name", "salutation", "position", "phone", "mobile", "qq", "email", "address", "postcode", "birthday", "contact_group",
    "remark",
)
# fmt: on


def checked(
    given: Mapping[str, str | None], reference: Reference, today: date, current: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Problem]]:
    """Clean values of the fields given, and everything wrong with them. Empty texts become None.

    What is `current` stays valid: a salutation that the customer's form took as free text, an option offered no more.
    """
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, text in given.items():
        value = (text or "").strip()
        try:
            if "\0" in value:
                raise Broken("null_character")
            values[name] = _clean(name, value, reference, today, current.get(name)) if value else None
        except Broken as broken:
            problems.append(Problem(name, broken.code, value, broken.parameters))
    if "name" in values and not values["name"]:
        problems.append(Problem("name", "contact_name_missing"))
    return values, problems


def _clean(name: str, value: str, reference: Reference, today: date, current: str | None) -> Any:
    if name in _SHARED:
        return _SHARED[name](value, reference)
    match name:
        case "name":
            return _name(value)
        case "address":
            return text_up_to(100, value)
        case "salutation":
            return value if value == current else _salutation(value)
        case "birthday":
            return _birthday(_day(value), today)
    return _option(name, value, reference, current)


def _name(value: str) -> str:
    if len(value) > 50:
        raise Broken("contact_name_too_long", max_length=50)
    return value


def _salutation(value: str) -> str:
    found = _SALUTATIONS.get(normalised(value))
    if found is None:
        raise Broken("unknown_option")
    return found


def _option(dictionary: str, value: str, reference: Reference, current: str | None) -> str:
    key = reference.options.find(dictionary, value)
    if key is None:
        raise Broken("unknown_option")
    if key != current and not reference.options.offers(dictionary, key):
        raise Broken("option_inactive")
    return key


def _day(value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise Broken("date_invalid") from error


def _birthday(day: date, today: date) -> date:
    if not _FIRST_BIRTHDAY <= day < today:
        raise Broken("birthday_not_past")
    return day


def checked_relation(
    text: str | None, reference: Reference, current: str | None = None
) -> tuple[str | None, list[Problem]]:
    """Key of the kind of relation meant by `text`, and what is wrong with it."""
    value = (text or "").strip()
    try:
        return (_option("relation_type", value, reference, current) if value else None), []
    except Broken as broken:
        return None, [Problem("relation_type", broken.code, value)]
