"""Recording what versions in the shadow would take (decision 0024); nothing is taken by them."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from chassis.database.rows import listed, rowset
from crm_pool.assignments.model import Assignment
from crm_pool.assignments.queries import page_of_owned
from crm_pool.expiry.queries import rules_in_force, verdicts
from crm_pool.recycle_rules.model import ShadowDecision
from crm_pool.recycle_rules.queries import shadow_rules
from crm_pool.recycling.queries import day_begun
from crm_pool.shadows.model import ShadowWalk

PAGE = 1000
_DECISIONS = cast(Table, ShadowDecision.__table__)


def walk_page(session: Session, at: datetime) -> bool:
    """Judge the next customers of today's walk by every version in the shadow, as the facts known say. Whether there is
    more; False also while another worker is at it.
    """
    rules, today = shadow_rules(session), day_begun(session, at)
    walk = _walk(session, today) if rules and today is not None else None
    if walk is None or walk.done_at is not None:
        return False
    holdings = page_of_owned(session, walk.after_customer_id, PAGE)
    for rule in rules:
        _record(session, _decisions(session, rule.id, walk.day, holdings))
    if len(holdings) < PAGE:
        walk.done_at = at
        return False
    walk.after_customer_id = holdings[-1].customer_id
    return True


def _walk(session: Session, today: date) -> ShadowWalk | None:
    """The walk of today, locked; None while another worker has it."""
    session.execute(insert(ShadowWalk).values(day=today).on_conflict_do_nothing())
    mine = select(ShadowWalk).where(ShadowWalk.day == today)
    return session.scalars(mine.with_for_update(skip_locked=True)).one_or_none()


def _decisions(session: Session, rule_id: UUID, day: date, holdings: Sequence[Assignment]) -> list[dict[str, Any]]:
    judged = verdicts(session, holdings, rules=rules_in_force(session, instead=[rule_id]))
    return [
        {
            "rule_id": rule_id,
            "day": day,
            "customer_id": one.customer_id,
            "owner_id": one.owner_id,
            "expires_on": verdict.expires_on,
        }
        for one in holdings
        if (verdict := judged[one.customer_id]).expires_on is not None
        and verdict.expires_on < day
        and verdict.rule is not None
        and verdict.rule.id == rule_id
    ]


def _record(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """What it would have taken on an earlier day already is not taken again."""
    if rows:
        keys = tuple(rows[0])
        new = insert(_DECISIONS).from_select(keys, select(rowset(_DECISIONS, keys)))
        session.execute(new.on_conflict_do_nothing(), listed(rows))
