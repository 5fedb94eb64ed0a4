"""Who is reminded of what. Pure."""

from collections.abc import Collection, Mapping
from datetime import date, timedelta
from uuid import UUID

# Owner and last day.
Group = tuple[UUID, date]


def reminded_days(today: date, reminder_days: Collection[int]) -> list[date]:
    """The last days of which somebody is reminded today."""
    return sorted({today + timedelta(days=days) for days in reminder_days})


def receivers(
    groups: Collection[Group], managers: Mapping[UUID, UUID], today: date, manager_from_days: int
) -> dict[UUID, list[Group]]:
    """What each member is told of, the soonest first: one's own; a manager also what members lose within
    `manager_from_days`.
    """
    told: dict[UUID, list[Group]] = {}
    for owner_id, day in sorted(groups, key=lambda group: (group[1], group[0])):
        told.setdefault(owner_id, []).append((owner_id, day))
        if owner_id in managers and (day - today).days <= manager_from_days:
            told.setdefault(managers[owner_id], []).append((owner_id, day))
    return told
