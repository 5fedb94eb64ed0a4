"""The public days off that this release ships, and how the calendar is kept. Pure.

2026 as the State Council arranged it, weekends at work included. Of 2027 only the days that the law fixes: the
arrangement is published in the November before, and an administrator enters it with `PUT /organisation/calendar/2027`.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

FIRST_YEAR, LAST_YEAR = 2000, 2200
# In all years together: every change of the organisation tells other services all of them.
MOST_DAYS = 800

# As kept and told: `day` in ISO 8601, `working`, `name`; in order.
Day = Mapping[str, Any]

_OFF = {
    "元旦": [("2026-01-01", 3), ("2027-01-01", 1)],
    "春节": [("2026-02-15", 9), ("2027-02-05", 4)],
    "清明节": [("2026-04-04", 3), ("2027-04-05", 1)],
    "劳动节": [("2026-05-01", 5), ("2027-05-01", 2)],
    "端午节": [("2026-06-19", 3), ("2027-06-09", 1)],
    "中秋节": [("2026-09-25", 3), ("2027-09-15", 1)],
    "国庆节": [("2026-10-01", 7), ("2027-10-01", 3)],
}
_AT_WORK = {
    "元旦": ["2026-01-04"],
    "春节": ["2026-02-14", "2026-02-28"],
    "劳动节": ["2026-05-09"],
    "国庆节": ["2026-09-20", "2026-10-10"],
}


def shipped() -> dict[str, Sequence[Day]]:
    """The shipped days by year."""
    years: dict[str, list[Day]] = {}
    for day in sorted(_shipped_days(), key=lambda one: str(one["day"])):
        years.setdefault(str(day["day"])[:4], []).append(day)
    return dict(years)


def _shipped_days() -> Iterator[Day]:
    for name, spans in _OFF.items():
        for first, days in spans:
            for after in range(days):
                day = date.fromisoformat(first) + timedelta(days=after)
                yield {"day": day.isoformat(), "working": False, "name": name}
    for name, days_at_work in _AT_WORK.items():
        for worked in days_at_work:
            yield {"day": worked, "working": True, "name": f"{name}调休"}
