"""Shapes of the calendar in REST."""

from datetime import date
from typing import Annotated

from pydantic import Field

from chassis.http.api import Body, Day, View
from crm_identity.calendar.rules import FIRST_YEAR, LAST_YEAR


class CalendarDay(Body):
    """A day that differs from its weekday, or has a name: `working` says whether people work on it."""

    day: Day
    working: bool
    name: Annotated[str, Field(max_length=50)] = ""


class YearQuery(Body):
    """Which year; by default the organisation's current one."""

    year: Annotated[int | None, Field(ge=FIRST_YEAR, le=LAST_YEAR)] = None


class YearChange(Body):
    """All days of a year that differ; every other one is as its weekday says."""

    days: Annotated[list[CalendarDay], Field(max_length=366)]


class CalendarDayView(View):
    """A day that differs from its weekday, or has a name."""

    day: date
    working: bool
    name: str


class CalendarView(View):
    """The days of a year that differ from the week, in order; `version` is the organisation's."""

    year: int
    days: list[CalendarDayView]
    version: int
