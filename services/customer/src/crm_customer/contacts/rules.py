"""What a contact's fields may hold, and how they look to those who may not read them. Pure functions."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from chassis.errors import FieldError

_EMAIL = re.compile(r"[^@\s]+@([^@\s.]+\.)+[A-Za-z]{2,}")
_QQ = re.compile(r"[0-9]{1,20}")
_MOBILE_PREFIX = re.compile(r"^(\+|00)?86(?=1)")


class Broken(Exception):
    """A value breaks its rule: stable `code` and the parameters of its message."""

    def __init__(self, code: str, **parameters: Any) -> None:
        super().__init__(code)
        self.code = code
        self.parameters = parameters

    def at(self, field: str) -> FieldError:
        """As an error of `field` (dotted) in a REST body."""
        return FieldError("/" + field.replace(".", "/"), self.code, self.parameters)


def text_up_to(max_length: int, value: str) -> str:
    """`value` unless it is longer than `max_length` code points."""
    if len(value) > max_length:
        raise Broken("string_too_long", max_length=max_length)
    return value


def email(value: str) -> str:
    """An address by the rule of X-32: one @, something before it, a domain with a dot and 2+ letters at its end."""
    text_up_to(50, value)
    if not _EMAIL.fullmatch(value):
        raise Broken("email_invalid")
    return value


def qq(value: str) -> str:
    """Digits only, at most 20 (A-48)."""
    value = unicodedata.normalize("NFKC", value)
    if not _QQ.fullmatch(value):
        raise Broken("qq_invalid")
    return value


def mobile(value: str, pattern: re.Pattern[str]) -> str:
    """A mobile number by the configured `pattern` (A-49); spaces, hyphens and +86 are taken away first."""
    digits = _MOBILE_PREFIX.sub("", re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", value)))
    if not (digits.isascii() and pattern.fullmatch(digits)):
        raise Broken("mobile_invalid")
    return digits


def is_filled(values: Mapping[str, Any]) -> bool:
    """Whether anything besides the remark is filled in: only then there is a contact (A-53)."""
    return any(value for field, value in values.items() if field != "remark")


def filled_rows(columns: Mapping[str, Sequence[Any]], count: int) -> list[bool]:
    """The same of `count` contacts, by column."""
    besides = [column for field, column in columns.items() if field != "remark"]
    return [any(cells) for cells in zip(*besides, strict=True)] if besides else [False] * count


def masked(field: str, value: Any) -> Any:
    """A hidden field's value as a stranger sees it: 138****8000, z***@***.com, ****; of what is no text, nothing."""
    if not value or not isinstance(value, str) or field == "contact_group":
        return None
    if field == "email":
        local, _, domain = value.partition("@")
        return f"{local[:1]}***@***.{domain.rpartition('.')[2]}"
    if field == "mobile" and len(value) == 11:
        return f"{value[:3]}****{value[-4:]}"
    return "****"
