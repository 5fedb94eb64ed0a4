"""The organisation's working days (工作日历): weekdays, but for the days that identity says differ."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from directory.tables import organisation

# Monday to Friday.
_WEEKDAYS = 5
_WEEK = 7


@dataclass(frozen=True)
class Calendar:
    """`differing`: days that are not as their weekday says, True where people work. Pure."""

    differing: Mapping[date, bool] = field(default_factory=dict)

    def works_on(self, day: date) -> bool:
        """Whether people work on `day`."""
        return self.differing.get(day, day.weekday() < _WEEKDAYS)

    def after(self, day: date, working_days: int) -> date:
        """The day that many working days after `day`. Raises OverflowError past the end of the calendar."""
        while working_days >= _WEEK:
            # A week has seven working days at most, so that whole weeks never lead too far.
            later = day + timedelta(weeks=working_days // _WEEK)
            working_days -= self._between(day, later)
            day = later
        while working_days > 0:
            day += timedelta(days=1)
            working_days -= self.works_on(day)
        return day

    def _between(self, day: date, later: date) -> int:
        """How many working days come after `day`, up to `later`, whole weeks after it."""
        differing = (
            working - (one.weekday() < _WEEKDAYS) for one, working in self.differing.items() if day < one <= later
        )
        return (later - day).days // _WEEK * _WEEKDAYS + sum(differing)


def calendar_of(session: Session) -> Calendar:
    """The organisation's calendar."""
    kept = session.scalar(select(organisation.c.calendar)) or {}
    return Calendar({date.fromisoformat(day): working for day, working in kept.items()})
