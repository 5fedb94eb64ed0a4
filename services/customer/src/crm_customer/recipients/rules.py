"""Addresses that mailings are sent to. Pure functions."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from crm_customer.contacts.rules import Broken, mobile

# What a header or a list of addresses gives another meaning is no part of an address here, quoted or not.
_EMAIL = re.compile(r"[^\s\x00-\x20\x7f@()<>\[\]:;,\\\"]{1,64}@(?:[^\s@()<>\[\]:;,\\\".]+\.)+[^\W\d_]{2,}")
_MOST_CHARACTERS = 254
_E164 = re.compile(r"\+[1-9][0-9]{7,14}")


@dataclass(frozen=True)
class Reading:
    """How addresses of one kind are read: the field that holds them, and what makes one of its value, or raises Broken."""

    field: str
    normalised: Callable[[str], str]


def email_address(value: str) -> str:
    """An address as a mail server takes it, its domain in small letters (X-32). Raises Broken email_invalid."""
    local, at, domain = unicodedata.normalize("NFKC", value).strip().rpartition("@")
    address = f"{local}{at}{domain.lower()}"
    if len(address) > _MOST_CHARACTERS or not _EMAIL.fullmatch(address):
        raise Broken("email_invalid")
    return address


def mobile_number(value: str, pattern: re.Pattern[str]) -> str:
    """A mobile number in E.164; one without a country is of +86 (J-17). Raises Broken mobile_invalid."""
    number = mobile(value, pattern)
    number = number if number.startswith("+") else f"+86{number}"
    if not _E164.fullmatch(number):
        raise Broken("mobile_invalid")
    return number


def addressed(value: str | None, reading: Reading, *, hidden: bool) -> tuple[str, str]:
    """The address in a contact's field, or why nothing is sent to it: a skip code."""
    if hidden:
        return "", "address_hidden"
    if not value or not value.strip():
        return "", "no_address"
    try:
        return reading.normalised(value), ""
    except Broken:
        return "", "address_invalid"
