"""What is due, and from when on (K-01 to K-06, K-11). Pure."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID


class DueKind(StrEnum):
    """What a member is reminded of, in the order in which it is shown."""

    FOLLOW_UP = "follow_up"
    TASK = "task"
    SCHEDULE = "schedule"
    OPPORTUNITY = "opportunity"
    NOT_CONTACTED = "not_contacted"
    RECEIVABLE = "receivable"
    BIRTHDAY = "birthday"


@dataclass(frozen=True)
class Ahead:
    """The administrator's settings, in days."""

    not_contacted_days: int
    no_progress_days: int
    birthday_days: int
    receivable_days: int


@dataclass(frozen=True)
class Day:
    """A day of the organisation with its first moment and the first one after it (UTC)."""

    today: date
    begins: datetime
    ends: datetime


@dataclass(frozen=True)
class Item:
    """One thing that is due on `due_on`; of `subject_type` as in the event DueItem. `title`: a subject, a name, or an amount."""

    subject_type: str
    subject_id: UUID
    customer_id: UUID | None
    customer_name: str
    title: str
    due_on: date

    def days_left(self, today: date) -> int:
        """Days until then, negative once it is over."""
        return (self.due_on - today).days


@dataclass(frozen=True)
class Group:
    """What of one kind is due for a member: how many, and the most urgent ones."""

    kind: DueKind
    count: int
    items: list[Item]


def next_birthday(birthday: date, today: date) -> date:
    """When it is kept next; that of 29 February on the 28th in other years."""
    kept = _in_year(birthday, today.year)
    return kept if kept >= today else _in_year(birthday, today.year + 1)


def _in_year(birthday: date, year: int) -> date:
    try:
        return birthday.replace(year=year)
    except ValueError:
        return date(year, 2, 28)
