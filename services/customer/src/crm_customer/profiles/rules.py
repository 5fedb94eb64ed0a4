"""What the extended columns of a customer may hold (T-1, decision 0019). Pure functions.

Clean values are JSON: decimals and ids are texts, as they travel, stand in the history and are compared.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

from crm_customer.contacts import rules as contact_rules
from crm_customer.contacts.rules import Broken, text_up_to
from crm_customer.search.rules import normalised

PARENT = "parent_customer_id"
# What is no text.
_VALUES = ("annual_revenue", "employees", "parent_customer_id", "campaign_id", "latitude", "longitude")
ADDRESSES = ("billing", "shipping")
_POSTCODES = tuple((f"{of}_postcode", f"{of}_country") for of in ADDRESSES)
# The form's option that a number picks, and the column that keeps the number itself.
NUMBERS: Mapping[str, str] = {"annual_turnover": "annual_revenue", "employee_count": "employees"}
MOST_EMAILS = 20
MOST_ALIASES = 20
_LONGEST_ALIAS = 100
_MOST_EMPLOYEES = 2_000_000_000
_LARGEST_REVENUE = Decimal(10) ** 16 - 1
_BETWEEN_EMAILS = re.compile(r"[;；,，、\s]+")
_BETWEEN_ALIASES = re.compile(r"[;；，、\n]+")
# GB 32100-2015: what stands for 0 to 30; each of the first 17 weighs a power of 3.
_CREDIT_DIGITS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT_CODE = re.compile(f"[{_CREDIT_DIGITS}]{{18}}")
_URL = re.compile(r"(https?://)?([\w-]+\.)+[\w-]{2,}(:[0-9]{1,5})?([/?#][^\s<>\"]*)?", re.IGNORECASE)
_DECIMAL = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{0,20})?")
_POSTCODE = re.compile(r"[0-9]{6}")
_CHINA = frozenset({"中国", "中国大陆", "中华人民共和国", "cn", "chn", "china", "prc", "p.r.china", "p.r.c."})


def url(value: str) -> str:
    """An address of the web, with or without http(s)://, as it was written."""
    if not _URL.fullmatch(text_up_to(255, value)):
        raise Broken("url_invalid")
    return value


def emails(value: str) -> list[str] | None:
    """Addresses separated by semicolons, commas or spaces, each by X-32 and once; None when there is none."""
    found: dict[str, str] = {}
    for text in filter(None, _BETWEEN_EMAILS.split(value)):
        found.setdefault(text.lower(), contact_rules.email(text))
    if len(found) > MOST_EMAILS:
        raise Broken("too_many_items", max_items=MOST_EMAILS)
    return list(found.values()) or None


def aliases(value: str) -> list[str] | None:
    """Other names (G-03) separated by semicolons, Chinese commas or lines, each once; None when there is none."""
    found: dict[str, str] = {}
    for text in map(str.strip, _BETWEEN_ALIASES.split(value)):
        if text:
            found.setdefault(normalised(text), text_up_to(_LONGEST_ALIAS, text))
    if len(found) > MOST_ALIASES:
        raise Broken("too_many_items", max_items=MOST_ALIASES)
    return list(found.values()) or None


def credit_code(value: str) -> str:
    """A unified social credit code (GB 32100-2015) whose check character is right, in capitals and without spaces."""
    code = re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", value)).upper()
    if not _CREDIT_CODE.fullmatch(code):
        raise Broken("credit_code_invalid")
    weighed = sum(_CREDIT_DIGITS.index(digit) * pow(3, place, 31) for place, digit in enumerate(code[:17]))
    if _CREDIT_DIGITS[-weighed % 31] != code[17]:
        raise Broken("credit_code_invalid")
    return code


def _number(value: str, least: Decimal, most: Decimal) -> Decimal:
    text = unicodedata.normalize("NFKC", value).replace(",", "").strip()
    if not _DECIMAL.fullmatch(text):
        raise Broken("number_invalid")
    number = Decimal(text)
    if not least <= number <= most:
        raise Broken("out_of_range", least=f"{least:f}", most=f"{most:f}")
    return number


def revenue(value: str) -> str:
    """An amount with at most two decimals, 1,000.50 -> 1000.50; whole ones without, 100000000.00 -> 100000000."""
    number = _number(value, Decimal(0), _LARGEST_REVENUE)
    cents = number.quantize(Decimal("0.01"))
    if cents != number:
        raise Broken("number_invalid")
    return amount(cents)


def amount(cents: Decimal) -> str:
    """An amount as text."""
    return f"{cents:.0f}" if cents == cents.to_integral_value() else f"{cents:.2f}"


def employees(value: str) -> int:
    """A number of people."""
    number = _number(value, Decimal(0), Decimal(_MOST_EMPLOYEES))
    if number != number.to_integral_value():
        raise Broken("number_invalid")
    return int(number)


def _degrees(most: int, value: str) -> str:
    return f"{_number(value, Decimal(-most), Decimal(most)) + 0:.8f}"


def _id(value: str) -> str:
    try:
        return str(UUID(value))
    except ValueError as error:
        raise Broken("uuid_parsing") from error


_Rule = Callable[[str], Any]
_TEXTS = {
    "phone_office": 20,
    "phone_alternate": 20,
    "fax": 20,
    **{
        f"{of}_{part}": most
        for of in ADDRESSES
        for part, most in (("street", 150), ("city", 100), ("province", 100), ("postcode", 20), ("country", 100))
    },
    "description": 5000,
    "sic_code": 20,
    "ticker_symbol": 20,
    "ownership": 100,
    "address": 255,
    "geocode_status": 50,
}
RULES: Mapping[str, _Rule] = {
    "website": url,
    "email": contact_rules.email,
    "non_primary_emails": emails,
    **{name: partial(text_up_to, most) for name, most in _TEXTS.items()},
    "annual_revenue": revenue,
    "employees": employees,
    PARENT: _id,
    "campaign_id": _id,
    "latitude": partial(_degrees, 90),
    "longitude": partial(_degrees, 180),
    "aliases": aliases,
    "credit_code": credit_code,
}
FIELDS = tuple(RULES)
EMPTY: Mapping[str, Any] = dict.fromkeys(FIELDS)


def is_filled(values: Mapping[str, Any]) -> bool:
    """Whether there is anything to keep."""
    return any(value is not None for value in values.values())


def wrong_postcodes(given: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Postcodes that are not six digits in an address of China, which one without a country is; of addresses whose
    postcode or country is among `given`. `after`: all columns as they will be.
    """
    return [
        postcode
        for postcode, country in _POSTCODES
        if (postcode in given or country in given)
        and after.get(postcode)
        and _is_china(after.get(country))
        and not _POSTCODE.fullmatch(after[postcode])
    ]


def _is_china(country: str | None) -> bool:
    return not country or normalised(country) in _CHINA


@lru_cache(maxsize=1024)
def number_of(option_field: str, text: str) -> Any:
    """The value of the column that keeps the number `text` of a form's field (X-20); None when it is none."""
    try:
        return RULES[NUMBERS[option_field]](text)
    except Broken:
        return None


def masked(field: str, value: Any) -> Any:
    """A hidden column's value as a stranger sees it; of what is no text, nothing."""
    if value is None or field in _VALUES:
        return None
    kind = "email" if field in ("email", "non_primary_emails") else "phone"
    if isinstance(value, list):
        return [contact_rules.masked(kind, one) for one in value]
    return contact_rules.masked(kind, value)


def cyclic(wanted: Mapping[UUID, UUID], stored: Mapping[UUID, UUID]) -> set[UUID]:
    """Those customers of `wanted` (customer → parent) that would become their own ancestor; the others, in their
    order, hold. `stored` are the parents that ancestors have today.
    """
    parents, refused = dict(stored), set()
    for customer, parent in wanted.items():
        former = parents.get(customer)
        parents[customer] = parent
        if _returns(customer, parents):
            refused.add(customer)
            if former is None:
                del parents[customer]
            else:
                parents[customer] = former
    return refused


def _returns(start: UUID, parents: Mapping[UUID, UUID]) -> bool:
    passed: set[UUID] = set()
    at = parents.get(start)
    while at is not None and at not in passed:
        if at == start:
            return True
        passed.add(at)
        at = parents.get(at)
    return False
