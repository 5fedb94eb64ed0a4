"""Days of a zone, and the moments at which they begin (UTC). Pure functions."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def day_of(moment: datetime, zone: str) -> date:
    """The calendar day of `moment` in the IANA zone `zone`."""
    return moment.astimezone(ZoneInfo(zone)).date()


def start_of(day: date, zone: str) -> datetime:
    """The first moment of a day in the IANA zone `zone`; at the very beginning of the calendar, where UTC has none, the
    first of UTC.
    """
    try:
        return datetime.combine(day, time.min, ZoneInfo(zone)).astimezone(UTC)
    except OverflowError:
        return datetime.combine(day, time.min, UTC)


def day_after(day: date) -> date:
    """The next day; the last one there is has none and stays."""
    return day if day == date.max else day + timedelta(days=1)


def span(first: date | None, last: date | None, zone: str) -> tuple[datetime | None, datetime | None]:
    """The days from `first` to `last`, both inclusive: their first moment, and the first one after them; None: no bound."""
    return start_of(first, zone) if first else None, start_of(day_after(last), zone) if last else None
