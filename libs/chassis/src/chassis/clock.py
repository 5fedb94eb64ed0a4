"""The only place that asks what time it is. Stored and computed times are UTC and aware."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo


def now() -> datetime:
    """This moment, aware, UTC."""
    return datetime.now(UTC)


def day_of(moment: datetime, zone: str) -> date:
    """The calendar day of `moment` in the IANA zone `zone`."""
    return moment.astimezone(ZoneInfo(zone)).date()


def start_of(day: date, zone: str) -> datetime:
    """The first moment of a calendar day in the IANA zone `zone`."""
    return datetime.combine(day, time.min, ZoneInfo(zone)).astimezone(UTC)
