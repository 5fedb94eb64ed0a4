"""What the list of contacts shows, as plain values, and the days behind birthdays. Pure functions."""

from calendar import isleap
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from crm_customer.contacts.lunar import lunar_birthdays_between

BIRTHDAYS_AHEAD = timedelta(days=29)


class ContactListView(StrEnum):
    """Views of the list (B-03 to B-09), and whose birthday is within 30 days (K-11)."""

    ALL = "all"
    MINE = "mine"
    CREATED_TODAY = "created_today"
    CREATED_THIS_WEEK = "created_this_week"
    CREATED_THIS_MONTH = "created_this_month"
    RECENTLY_UPDATED = "recently_updated"
    BIRTHDAYS = "birthdays"
    DELETED = "deleted"


@dataclass(frozen=True)
class Days:
    """Days of any year from `first` to `last` as month * 100 + day; over New Year where `last` comes before `first`.

    `lunar`: lunar birthdays that are kept on these days, each with its day; None: days of birth count, whatever calendar
    a birthday is kept by.
    """

    first: int
    last: int
    lunar: tuple[tuple[int, int], ...] | None = None


@dataclass(frozen=True)
class ContactConditions:
    """Conditions of the list. Moments are UTC, `until` ones exclusive.

    `after`: the row after which the list goes on, its moment and id; `backwards`: the order turned round.
    """

    name: str = ""
    phone: str = ""
    position: str = ""
    salutation: str = ""
    owner_id: UUID | None = None
    customer_id: UUID | None = None
    created_from: datetime | None = None
    created_until: datetime | None = None
    updated_from: datetime | None = None
    birthdays: Days | None = None
    deleted: bool = False
    after: tuple[datetime, UUID] | None = None
    backwards: bool = False

    @property
    def moment(self) -> str:
        """The column whose latest comes first; birthdays are listed by their days."""
        if self.deleted:
            return "deleted_at"
        return "updated_at" if self.updated_from else "created_at"


def birthdays_between(first: date, last: date) -> Days:
    """Birthdays kept on the days from `first` to `last`, which are less than a year apart.

    In a year without 29 February, that birthday is kept on the 28th.
    """
    days = Days(_number(first), _number(last))
    if isleap(last.year):
        return days
    return Days(days.first, 229) if days.last == 228 else days


def coming_birthdays(first: date, last: date) -> Days:
    """The same, each kept by its own calendar (K-11)."""
    lunar = tuple((birthday, _number(kept)) for birthday, kept in lunar_birthdays_between(first, last))
    return replace(birthdays_between(first, last), lunar=lunar)


def birthdays_of(first: str, last: str, today: date) -> Days:
    """The same for days written MM-DD, the first of them in this year. Raises ValueError for a day that no year has."""
    begins, ends = (date.fromisoformat(f"2024-{text}") for text in (first, last))
    year = today.year + (ends < begins)
    return Days(_number(begins), 229 if _number(ends) == 228 and not isleap(year) else _number(ends))


def _number(day: date) -> int:
    return day.month * 100 + day.day
