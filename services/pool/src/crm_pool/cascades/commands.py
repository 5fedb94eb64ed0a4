"""Customers that nobody claims go on to the next pool (decision 0024), a page of one pool at a time."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.days import start_of
from crm_pool.assignments.model import Assignment, AssignmentRow, Change
from crm_pool.assignments.queries import EVERY, found_by
from crm_pool.assignments.recording import Act, record
from crm_pool.pools.model import Pool
from crm_pool.pools.queries import keep_existing
from crm_pool.recycling.queries import day_begun
from directory.scope import zone_of

_PAGE = 500


def cascade(session: Session, at: datetime) -> Sequence[Change]:
    """Move on up to 500 customers of one pool; none: nothing is due. What came on day D is due after the end of D + N, so
    that no customer moves twice on a day, whatever follows what.
    """
    today = day_begun(session, at)
    pools = _cascading(session) if today is not None else []
    targets = keep_existing(session, [pool.cascade_pool_id for pool in pools if pool.cascade_pool_id])
    for pool in pools:
        if today is not None and pool.cascade_pool_id in targets:
            found = _unclaimed(session, pool, today)
            if found:
                act = Act(None, at)
                return record(session, [(act, one.cascade(pool.cascade_pool_id, at)) for one in found])
    return []


def _cascading(session: Session) -> Sequence[Pool]:
    pools = select(Pool).where(Pool.cascade_pool_id.is_not(None), Pool.deleted_at.is_(None))
    return session.scalars(pools.order_by(Pool.id)).all()


def _unclaimed(session: Session, pool: Pool, today: date) -> Sequence[Assignment]:
    """What has lain in the pool for too long, the longest first, locked; not what somebody is taking now."""
    since = start_of(today - timedelta(days=pool.cascade_after_days or 0), zone_of(session))
    lying = EVERY.where(AssignmentRow.pool_id == pool.id, AssignmentRow.held_since < since, ~AssignmentRow.suspended)
    longest = lying.order_by(AssignmentRow.held_since, AssignmentRow.customer_id).limit(_PAGE)
    return found_by(session, longest.with_for_update(skip_locked=True))
