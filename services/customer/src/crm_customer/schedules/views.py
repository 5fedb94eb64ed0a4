"""Shapes of schedules on the wire."""

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from chassis.days import day_after, day_of, start_of
from chassis.http.api import Body, NearDay, NearMoment, PageQuery, View
from crm_customer.customers.views import Named
from crm_customer.schedules.rules import USUAL, Times

_PLACE, _PURPOSE, _NOTE = 200, 200, 2000


class _When(Body):
    """Either moments, or whole days of the organisation."""

    starts_at: NearMoment | None = None
    ends_at: NearMoment | None = Field(default=None, description="an hour after the beginning unless said")
    starts_on: NearDay | None = Field(default=None, description="all day: the first day")
    ends_on: NearDay | None = Field(default=None, description="all day: the last day, the first unless said")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        moments = self.starts_at is not None or self.ends_at is not None
        days = self.starts_on is not None or self.ends_on is not None
        if moments and days:
            raise PydanticCustomError("times_or_days", "either moments or days")
        if self.ends_at is not None and self.starts_at is None:
            raise PydanticCustomError("start_missing", "an end without a beginning")
        if self.ends_on is not None and self.starts_on is None:
            raise PydanticCustomError("start_missing", "an end without a beginning")
        return self

    def times(self, zone: str) -> Times | None:
        """What was said; None: nothing."""
        if self.starts_at is not None:
            return Times(self.starts_at, self.ends_at or self.starts_at + USUAL, all_day=False)
        if self.starts_on is not None:
            last = self.ends_on or self.starts_on
            after = start_of(day_after(last), zone)
            return Times(start_of(self.starts_on, zone), after, all_day=True)
        return None


class NewEntry(_When):
    """添加日程 (F-32, F-34): subject and beginning are needed."""

    subject: str = Field(min_length=1, max_length=100)
    customer_id: UUID | None = None
    place: str | None = Field(default=None, min_length=1, max_length=_PLACE)
    purpose: str | None = Field(default=None, min_length=1, max_length=_PURPOSE, description="拜访目的 (F-10)")
    note: str | None = Field(default=None, min_length=1, max_length=_NOTE)
    remind_at: NearMoment | None = Field(default=None, description="when to be reminded; not past, not after the end")


class EntryChange(_When):
    """What is sent is changed; null clears place, purpose, note, reminder and customer."""

    subject: str | None = Field(default=None, min_length=1, max_length=100)
    customer_id: UUID | None = None
    place: str | None = Field(default=None, min_length=1, max_length=_PLACE)
    purpose: str | None = Field(default=None, min_length=1, max_length=_PURPOSE)
    note: str | None = Field(default=None, min_length=1, max_length=_NOTE)
    remind_at: NearMoment | None = None

    @model_validator(mode="after")
    def _subject_stays(self) -> Self:
        if "subject" in self.model_fields_set and self.subject is None:
            raise PydanticCustomError("subject_missing", "a subject cannot be cleared")
        return self


class EntryQuery(PageQuery):
    """Of a customer, or one's own."""

    customer_id: UUID | None = None


class EntryView(View):
    """An entry. `customer` has no name where the reader does not see it."""

    id: UUID
    version: int
    subject: str
    member: Named
    customer: Named | None
    starts_at: datetime
    ends_at: datetime
    all_day: bool
    starts_on: date = Field(description="first day, in the organisation's zone")
    ends_on: date = Field(description="last day, in the organisation's zone")
    place: str | None
    purpose: str | None
    note: str | None
    remind_at: datetime | None
    created_at: datetime
    updated_at: datetime


class CalendarKind(StrEnum):
    """What a calendar shows (F-33)."""

    SCHEDULE = "schedule"
    NEXT_CONTACT = "next_contact"
    TASK = "task"


class CalendarQuery(Body):
    """Days of the organisation, both inclusive, at most 70: a day, a week, a month."""

    from_: NearDay = Field(alias="from")
    to: NearDay
    member_id: UUID | None = Field(default=None, description="somebody in a department one sees; oneself unless said")
    kinds: list[CalendarKind] = Field(default_factory=lambda: list(CalendarKind), max_length=len(CalendarKind))


class CalendarItem(View):
    """Something on a member's calendar: `id` of the entry, the activity or the task."""

    kind: CalendarKind
    id: UUID
    subject: str
    customer: Named | None
    starts_at: datetime
    ends_at: datetime
    all_day: bool
    starts_on: date
    ends_on: date
    place: str | None = None
    done: bool = Field(default=False, description="of a task: it is closed")


class CalendarView(View):
    """What lies in the days asked for, the soonest first."""

    items: list[CalendarItem]
    truncated: bool = Field(description="there is more than is shown: ask for fewer days")


class FeedView(View):
    """A calendar feed; its address is told only when it is made."""

    created_at: datetime
    read_at: datetime | None = Field(description="when a program last fetched it")
    url: str | None = Field(default=None, description="for a calendar program; whoever has it reads the calendar")


def days_of(starts_at: datetime, ends_at: datetime, zone: str) -> tuple[date, date]:
    """The first and last day on which something lies; an end at midnight is the day before's."""
    last = ends_at - timedelta(microseconds=1) if ends_at > starts_at else ends_at
    return day_of(starts_at, zone), day_of(last, zone)


def changed(body: EntryChange) -> dict[str, Any]:
    """What was sent beside the times."""
    return body.model_dump(include=body.model_fields_set - {"starts_at", "ends_at", "starts_on", "ends_on"})
