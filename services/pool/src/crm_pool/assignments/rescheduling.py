"""Bringing the days of customers into line with what their owners' rules say now (decision 0023)."""

from collections.abc import Collection, Iterable
from datetime import date, timedelta

from sqlalchemy.orm import Session

from chassis.days import day_of
from crm_pool.assignments.model import Assignment, Change
from crm_pool.assignments.recording import Act, record
from crm_pool.expiry.queries import Rules, verdicts
from crm_pool.expiry.rules import with_warning
from crm_pool.pools.queries import warning_days
from directory.scope import zone_of


def reschedule(
    session: Session, assignments: Iterable[Assignment], act: Act, *, floor: bool, rules: Rules | None = None
) -> list[Change]:
    """Judge the owned ones among assignments that are locked again and record the days that changed, as versions of cause
    `reschedule` without history. Returns what changed. Facts that change in the same transaction are to be written before.

    `floor`: their owners did not cause it, so that no day that changes comes before today + `warning_days`. Without it
    that holds for days that appear or come nearer. `rules`: those in force unless given.
    """
    owned = [one for one in assignments if one.owner_id and not one.suspended]
    judged = verdicts(session, owned, rules=rules)
    changed = [(one, judged[one.customer_id]) for one in owned if judged[one.customer_id].expires_on != one.expires_on]
    earliest = _earliest(session, act, [verdict.expires_on for _, verdict in changed])
    changes = [_moved(one, verdict.expires_on, earliest, floor=floor) for one, verdict in changed]
    done = [change for change in changes if change]
    record(session, [(act, change) for change in done])
    return done


def _earliest(session: Session, act: Act, days: Collection[date | None]) -> date:
    """The first day that a change which the owner did not cause may set."""
    if not any(days):
        return date.min
    return day_of(act.at, zone_of(session)) + timedelta(days=warning_days(session))


def _moved(one: Assignment, judged: date | None, earliest: date, *, floor: bool) -> Change | None:
    day = with_warning(judged, one.expires_on, earliest, floor=floor)
    not_before = day if day != judged else one.not_before
    unchanged = (day, not_before) == (one.expires_on, one.not_before)
    return None if unchanged else one.reschedule(day, not_before)
