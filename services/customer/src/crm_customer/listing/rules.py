"""What a list shows: conditions as plain values, and the days behind the views. Pure functions."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from crm_customer.customers.rules import Problem, Reference, checked

EXACT = (
    "customer_type",
    "industry",
    "source",
    "company_nature",
    "annual_turnover",
    "employee_count",
    "rating",
    "province",
    "city",
)


class ListView(StrEnum):
    """Views of the list (A-06 to A-11), customers whose owner has left, and the recycle bin (A-70)."""

    ALL = "all"
    MINE = "mine"
    CREATED_TODAY = "created_today"
    CREATED_THIS_WEEK = "created_this_week"
    CREATED_THIS_MONTH = "created_this_month"
    RECENTLY_UPDATED = "recently_updated"
    OWNER_LEFT = "owner_left"
    DELETED = "deleted"


class Sort(StrEnum):
    """Orders of the list; ties are broken by id in the same direction."""

    NEWEST = "-created_at"
    OLDEST = "created_at"
    LAST_UPDATED = "-updated_at"
    FIRST_UPDATED = "updated_at"


@dataclass(frozen=True)
class Filter:
    """Conditions of a list. `exact` are (field, value); moments are UTC, `until` ones exclusive."""

    search: str = ""
    address: str = ""
    owner_id: UUID | None = None
    pool_id: UUID | None = None
    exact: tuple[tuple[str, str | int], ...] = ()
    created_from: datetime | None = None
    created_until: datetime | None = None
    updated_from: datetime | None = None
    owner_left: bool = False
    deleted: bool = False
    sort: Sort = Sort.NEWEST


def exact_conditions(
    texts: Mapping[str, str], reference: Reference
) -> tuple[tuple[tuple[str, str | int], ...], list[Problem]]:
    """Option conditions as stored values, and what is wrong with them. A city's code needs no province beside it."""
    city = texts.get("city", "")
    given = {
        name: text for name, text in texts.items() if text and (name != "city" or city not in reference.regions.names)
    }
    values, problems = checked(given, reference)
    if city and "city" not in given:
        values["city"] = city
    return tuple(sorted((name, value) for name, value in values.items() if value is not None)), problems


def with_view(conditions: Filter, view: ListView, member_id: UUID, moment: datetime, zone: str) -> Filter:
    """`conditions` narrowed to a view, as the member sees it at `moment` in the organisation's `zone`."""
    today = moment.astimezone(ZoneInfo(zone)).date()
    first_days = {
        ListView.CREATED_TODAY: today,
        ListView.CREATED_THIS_WEEK: today - timedelta(days=today.weekday()),
        ListView.CREATED_THIS_MONTH: today.replace(day=1),
    }
    if view in first_days:
        start = start_of(first_days[view], zone)
        return replace(conditions, created_from=max(start, conditions.created_from or start))
    match view:
        case ListView.MINE:
            # Mine and somebody else's at once: nobody's.
            both = member_id if conditions.owner_id in (None, member_id) else UUID(int=0)
            return replace(conditions, owner_id=both)
        case ListView.RECENTLY_UPDATED:
            return replace(conditions, updated_from=month_before(moment))
        case ListView.OWNER_LEFT:
            return replace(conditions, owner_left=True)
        case ListView.DELETED:
            return replace(conditions, deleted=True)
    return conditions


def start_of(day: date, zone: str) -> datetime:
    """The first moment of `day` in `zone`; at the very beginning of the calendar, where UTC has none, the first of UTC."""
    try:
        return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
    except OverflowError:
        return datetime.combine(day, time(), UTC)


def day_after(day: date) -> date:
    """The next day; the last one there is has none and stays."""
    return day if day == date.max else day + timedelta(days=1)


def month_before(moment: datetime) -> datetime:
    """One month earlier, at the same time of day (X-26); the month's last day when it has no such day."""
    last = moment.replace(day=1) - timedelta(days=1)
    return moment.replace(year=last.year, month=last.month, day=min(moment.day, last.day))
