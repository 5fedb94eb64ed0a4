"""What an activity of each kind may hold. Pure functions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from chassis.errors import FieldError
from crm_customer.dictionaries.rules import Options

METHODS = "follow_up_method"
LONGEST_TITLE = 100
LONGEST_CONTENT = 2000
# Of what was written as much as a new owner reads at a glance.
SHOWN_IN_CARD = 500


class Kind(StrEnum):
    """跟进, 沟通日志 (X-22), and 备注: what others have to say of it."""

    FOLLOW_UP = "follow_up"
    LOG = "log"
    REMARK = "remark"


@dataclass(frozen=True)
class _Shape:
    """Fields that a kind needs, and those that it may have; each may be about a contact and an opportunity."""

    needed: tuple[str, ...]
    optional: tuple[str, ...]

    def holds(self, field: str) -> bool:
        return field in (*self.needed, *self.optional, "contact_id", "opportunity_id")


_SHAPES = {
    Kind.FOLLOW_UP: _Shape(("method", "content"), ("next_contact_on",)),
    Kind.LOG: _Shape(("title",), ("content",)),
    Kind.REMARK: _Shape(("content",), ("about_id",)),
}


def wrong_fields(kind: Kind, given: Mapping[str, Any], needed: bool = True) -> Iterator[FieldError]:
    """Fields that the kind lacks or does not have; only those `given` as None where it is not `needed` that all come."""
    shape = _SHAPES[kind]
    for field in shape.needed:
        if (needed or field in given) and given.get(field) is None:
            yield FieldError(f"/{field}", "missing")
    for field, value in given.items():
        if value is not None and not shape.holds(field):
            yield FieldError(f"/{field}", "not_of_this_kind")


def wrong_method(method: str, options: Options, present: str | None = None) -> Iterator[FieldError]:
    """What is wrong with a method, by key or label; the `present` one may be kept though it is no longer offered."""
    key = options.find(METHODS, method)
    if key is None:
        yield FieldError("/method", "unknown_option", {"value": method})
    elif key != present and not options.offers(METHODS, key):
        yield FieldError("/method", "option_inactive", {"value": method})


def wrong_promise(next_contact_on: date | None, today: date) -> Iterator[FieldError]:
    """What is wrong with the day of the next contact (F-04)."""
    if next_contact_on is not None and next_contact_on < today:
        yield FieldError("/next_contact_on", "next_contact_past")
