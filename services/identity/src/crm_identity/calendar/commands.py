"""Changing the working-day calendar (工作日历), and shipping the years that a release knows."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.errors import Conflict, FieldError, NotFound, invalid
from crm_identity.calendar.rules import FIRST_YEAR, LAST_YEAR, MOST_DAYS, Day, shipped
from crm_identity.organisation import queries
from crm_identity.organisation.commands import record
from crm_identity.organisation.model import ORGANISATION_ID, Organisation


def change_year(session: Session, actor_id: UUID, version: int, year: int, days: Sequence[Mapping[str, Any]]) -> None:
    """Let these be the days of the year that differ from the week; `version` is the organisation's.

    Raises NotFound for years before 2000 or after 2200, Stale, Invalid not_in_year or day_twice, Conflict calendar_full.
    """
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise NotFound("not_found")
    _check(year, days)
    new = sorted(days, key=lambda one: str(one["day"]))
    organisation = queries.locked(session, Organisation, ORGANISATION_ID)
    old = organisation.calendar.get(str(year), [])
    if version != organisation.version:
        raise queries.stale(organisation, {"days": (new, old)})
    if new == old:
        return
    calendar = {**organisation.calendar, str(year): new}
    if sum(map(len, calendar.values())) > MOST_DAYS:
        raise Conflict("calendar_full", max_days=MOST_DAYS)
    organisation.calendar = calendar
    record(session, "calendar_changed", actor_id, organisation, ({"days": old}, {"days": new}))


def ship(session: Session, organisation: Organisation) -> None:
    """Give the organisation the years that this release brings, once: what administrators entered or emptied stays."""
    new: dict[str, Sequence[Day]] = {y: days for y, days in shipped().items() if y not in organisation.calendar}
    if new:
        organisation.calendar = {**organisation.calendar, **new}
        record(session, "calendar_shipped", None, organisation, ({}, {"years": sorted(new)}))


def _check(year: int, days: Sequence[Mapping[str, Any]]) -> None:
    errors, seen = [], set()
    for place, one in enumerate(days):
        pointer = f"/days/{place}/day"
        if not one["day"].startswith(f"{year}-"):
            errors.append(FieldError(pointer, "not_in_year", {"year": year}))
        elif one["day"] in seen:
            errors.append(FieldError(pointer, "day_twice"))
        seen.add(one["day"])
    if errors:
        raise invalid(*errors)
