"""Taking back what has expired: a run a day, bounded, confirmed where it takes too much, undone as a release (decision 0024).

Lock order: the run, then customers, pools and assignments as everywhere.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.clock import day_of
from chassis.errors import FieldError, Invalid, NotFound
from chassis.events.outbox import record_event
from chassis.identifiers import new_id
from crm.pool.v1 import pool_events_pb2 as pb
from crm_pool.assignments.model import Assignment, Change
from crm_pool.assignments.queries import holdings
from crm_pool.assignments.recording import Act, finish_batch, record
from crm_pool.assignments.rescheduling import reschedule
from crm_pool.assignments.rules import Cause
from crm_pool.customers.projection import keep_customers
from crm_pool.expiry.queries import verdicts
from crm_pool.expiry.rules import Verdict
from crm_pool.pools.queries import keep_existing
from crm_pool.recycle_rules.queries import unsettled_rules
from crm_pool.recycling import queries
from crm_pool.recycling.model import Run
from crm_pool.recycling.queries import Expired
from crm_pool.recycling.rules import (
    Reason,
    batch_of,
    clock_reasons,
    is_too_much_of_company,
    is_too_much_of_owner,
)
from directory.permissions import Permission
from directory.scope import holders_of, managers_of, zone_of

PAGE = 500


@dataclass(frozen=True)
class Page:
    """Up to 500 customers that a run takes next, if they have expired still; none: its walk is through."""

    run_id: UUID
    walk: int
    place: tuple[date, UUID] | None
    expired: Sequence[Expired]


@dataclass(frozen=True)
class Outcome:
    """What became of a page: `changes` to tell customer of."""

    taken: Sequence[Change] = ()
    spared: int = 0
    rescheduled: Sequence[Change] = field(default=())

    @property
    def changes(self) -> list[Change]:
        """Places and days that changed."""
        return [*self.taken, *self.rescheduled]


def next_page(session: Session, at: datetime) -> Page | None:
    """What today's run takes next; it begins when its time has come. None: nothing is to be done now.

    While a version of a rule is taking effect, runs wait: until every customer has its day by it, it does not recycle.
    """
    zone = zone_of(session)
    if at.astimezone(ZoneInfo(zone)).time() < queries.begins_at(session) or unsettled_rules(session):
        return None
    today = day_of(at, zone)
    run = queries.last_run(session)
    if run is None or run.day != today:
        run = _begin(session, today, at)
    if run is None or not run.is_running:
        return None
    return Page(run.id, run.walk, run.place, queries.expired_behind(session, run, PAGE))


def take_page(session: Session, page: Page, facts: Sequence[dict[str, Any]], at: datetime) -> Outcome:
    """Take what of the page has expired still, `facts` being customer's own of a moment ago, and give the others their day.

    Left as they are: those that customer does not know, and those that somebody is changing or has changed since. Does
    nothing when another worker was quicker. A page of none ends the walk.
    """
    run = queries.run_with(session, page.run_id, lock=True)
    if run is None or not run.is_running or (run.walk, run.place) != (page.walk, page.place):
        return Outcome()
    if not page.expired:
        run.finish(at)
        _close_walk(session, run, at)
        return Outcome()
    if run.decided_at is None and run.taken + run.spared + len(page.expired) > run.nominated:
        _look(session, run, [])
        if not run.is_running or run.held_owner_ids:
            return Outcome()
    keep_customers(session, facts)
    pools = keep_existing(session, queries.target_pools(session))
    known = {row["id"] for row in facts}
    rows = queries.lock_unchanged(session, [one for one in page.expired if one.customer_id in known])
    outcome = _take(session, run, rows, pools, at)
    last = page.expired[-1]
    run.go_on((last.expires_on, last.customer_id), taken=len(outcome.taken), spared=outcome.spared)
    return outcome


def _take(session: Session, run: Run, rows: Sequence[Assignment], pools: Collection[UUID], at: datetime) -> Outcome:
    judged = verdicts(session, rows)
    is_due = {id_: one.expires_on is not None and one.expires_on < run.day for id_, one in judged.items()}
    spared = [one.customer_id for one in rows if not is_due[one.customer_id]]
    done = []
    for one in rows:
        pool_id = _target(judged[one.customer_id], pools)
        if is_due[one.customer_id] and pool_id is not None:
            ...
    return Outcome()
