"""What a follow-up may hold. Pure functions."""

from collections.abc import Iterator
from datetime import date

from chassis.errors import FieldError
from crm_customer.dictionaries.rules import Options

METHODS = "follow_up_method"
LONGEST_CONTENT = 2000
# Of what was written as much as a new owner reads at a glance.
SHOWN_IN_CARD = 500


def wrong(method: str, next_contact_on: date | None, options: Options, today: date) -> Iterator[FieldError]:
    """What is wrong with the method, by key or label, and with the day of the next contact."""
    key = options.find(METHODS, method)
    if key is None:
        yield FieldError("/method", "unknown_option", {"value": method})
    elif not options.offers(METHODS, key):
        yield FieldError("/method", "option_inactive", {"value": method})
    if next_contact_on is not None and next_contact_on < today:
        yield FieldError("/next_contact_on", "next_contact_past")
