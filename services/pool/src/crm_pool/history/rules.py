"""Periods of the organisation's days that histories and figures are asked for. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from chassis import clock
from chassis.errors import FieldError, Invalid

MOST_DAYS = 366


@dataclass(frozen=True)
class Period:
    """Days in the IANA zone `zone`, first and last inclusive."""

    first: date
    last: date
    zone: str

    @property
    def since(self) -> datetime:
        """Its first moment, UTC."""
        return clock.start_of(self.first, self.zone)

    @property
    def until(self) -> datetime:
        """The first moment after it, UTC."""
        return clock.start_of(self.last + timedelta(days=1), self.zone)


def period_of(first: date | None, last: date | None, *, today: date, zone: str, days: int) -> Period:
    """The period asked for; without `last` until today, without `first` `days` days long.

    Raises Invalid before_from, or period_too_long for more than 366 days.
    """
    last = last or max(today, first or today)
    first = first or last - timedelta(days=days - 1)
    if last < first:
        raise _wrong("/to", "before_from")
    if (last - first).days >= MOST_DAYS:
        raise _wrong("/from", "period_too_long")
    return Period(first, last, zone)


def _wrong(pointer: str, code: str) -> Invalid:
    return Invalid("validation_failed", errors=[FieldError(pointer, code, {"most": MOST_DAYS})], count=1)
