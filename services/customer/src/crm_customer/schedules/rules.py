"""What an entry of a schedule may say. Pure functions."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from chassis.errors import FieldError

LONGEST = timedelta(days=366)
# Without an end it takes an hour.
USUAL = timedelta(hours=1)
# A calendar shows at most two months with the days around them.
MOST_DAYS = 70


@dataclass(frozen=True)
class Times:
    """From when to when, UTC; `all_day`: both are midnights of the organisation, the end exclusive."""

    starts_at: datetime
    ends_at: datetime
    all_day: bool


def wrong_times(times: Times) -> Iterator[FieldError]:
    """What is wrong with when it begins and ends."""
    end = "/ends_on" if times.all_day else "/ends_at"
    if times.ends_at < times.starts_at:
        yield FieldError(end, "end_before_start")
    elif times.ends_at - times.starts_at > LONGEST:
        yield FieldError(end, "entry_too_long", {"days": LONGEST.days})


def wrong_reminder(remind_at: datetime | None, times: Times, now: datetime) -> Iterator[FieldError]:
    """What is wrong with the moment of its reminder."""
    if remind_at is None:
        return
    if remind_at < now:
        yield FieldError("/remind_at", "remind_past")
    elif remind_at > max(times.starts_at, times.ends_at):
        yield FieldError("/remind_at", "remind_after_end")


def wrong_period(first: date, last: date) -> Iterator[FieldError]:
    """What is wrong with the days that a calendar is asked for, both inclusive."""
    if last < first:
        yield FieldError("/to", "end_before_start")
    elif (last - first).days >= MOST_DAYS:
        yield FieldError("/to", "period_too_long", {"days": MOST_DAYS})
