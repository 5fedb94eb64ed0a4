"""When a leaver's customers are handed over. Pure."""

from datetime import date, timedelta

WAIT = timedelta(days=7)


def hands_over_on(left_on: date) -> date:
    """The organisation's day on which the customers of whoever left on `left_on` go to the to-be-assigned pool."""
    return left_on + WAIT
