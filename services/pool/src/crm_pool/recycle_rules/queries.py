"""Reading the pools' rules in the caller's sight, and what days depend on besides customers."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, text, true
from sqlalchemy.orm import Session

from crm_pool.expiry.model import RecycleRule
from crm_pool.expiry.rules import RuleState
from crm_pool.pools.model import Pool
from crm_pool.pools.queries import visible_pools
from crm_pool.recycle_rules.model import Recompute, ShadowDecision
from directory.permissions import Permission
from directory.scope import Scope

# Everything that moves days of customers to whom nothing happened, by kind, but members. Kinds are few and small.
_BASIS = text("""
    SELECT
        ARRAY(SELECT CAST(id AS text) FROM recycle_rules WHERE state = 'active' ORDER BY id) AS rules,
        (SELECT md5(string_agg(concat_ws(',', id, priority, open_to_all, member_ids, department_ids, role_ids), ';' ORDER BY id))
         FROM pools WHERE deleted_at IS NULL) AS pools,
        (SELECT md5(string_agg(concat_ws(',', id, parent_id, deleted), ';' ORDER BY id))
         FROM directory_departments) AS departments,
        (SELECT zone FROM directory_organisation) AS zone,
        (SELECT md5(CAST(calendar AS text)) FROM directory_organisation) AS calendar
""")


# Members are read whole, 10,000 of them in 20 ms.
_MEMBERS = text("""
    INSERT INTO judged_members AS judged (member_id, digest)
    SELECT id, now.digest FROM directory_members, md5(concat_ws(',', department_id, role_ids, active)) AS now (digest)
    WHERE NOT EXISTS (SELECT FROM judged_members WHERE member_id = id AND judged_members.digest = now.digest)
    ORDER BY id
    ON CONFLICT (member_id) DO UPDATE SET digest = excluded.digest
    RETURNING member_id
""")


def rules_page(
    session: Session, scope: Scope, pool_id: UUID | None, state: RuleState | None, page: int, page_size: int
) -> tuple[Sequence[RecycleRule], int]:
    """A page of the versions in sight, by pool, the newest first, and how many there are."""
    wanted = [
        _seen(session, scope),
        RecycleRule.pool_id == pool_id if pool_id else true(),
        RecycleRule.state == state.value if state else true(),
    ]
    ordered = select(RecycleRule).join(Pool, Pool.id == RecycleRule.pool_id).where(*wanted)
    found = ordered.order_by(Pool.name, Pool.id, RecycleRule.number.desc())
    rules = session.scalars(found.offset((page - 1) * page_size).limit(page_size)).all()
    return rules, session.scalars(select(func.count()).select_from(RecycleRule).where(*wanted)).one()


def rule_in_sight(session: Session, scope: Scope, rule_id: UUID) -> RecycleRule | None:
    """A version, if it is in sight."""
    return session.scalar(select(RecycleRule).where(RecycleRule.id == rule_id, _seen(session, scope)))


def versions_with(session: Session, rule_id: UUID) -> Sequence[RecycleRule]:
    """The version and the others of its pool, locked in id order, so that changes of one pool's rule wait for each other."""
    pool_id = select(RecycleRule.pool_id).where(RecycleRule.id == rule_id).scalar_subquery()
    versions = select(RecycleRule).where(RecycleRule.pool_id == pool_id).order_by(RecycleRule.id)
    return session.scalars(versions.with_for_update().execution_options(populate_existing=True)).all()


def shadow_rules(session: Session) -> Sequence[RecycleRule]:
    """The versions that only record what they would take, those of deleted pools excepted."""
    shadows = select(RecycleRule).join(Pool, Pool.id == RecycleRule.pool_id)
    return session.scalars(shadows.where(RecycleRule.state == RuleState.SHADOW.value, Pool.deleted_at.is_(None))).all()


def due_rules(session: Session, today: date) -> Sequence[UUID]:
    """The announced versions whose day has come."""
    due = select(RecycleRule.id).where(
        RecycleRule.state == RuleState.ANNOUNCED.value, RecycleRule.effective_on <= today
    )
    return session.scalars(due.order_by(RecycleRule.id)).all()


def unsettled_rules(session: Session) -> set[UUID]:
    """The active versions by which not every customer's day has been computed yet: they do not recycle."""
    active = set(session.scalars(select(RecycleRule.id).where(RecycleRule.state == RuleState.ACTIVE.value)))
    return active - settled_by(last_recompute(session, done=True)) if active else active


def settled_by(recompute: Recompute | None) -> set[UUID]:
    """The versions by which it computed every customer's day."""
    return set(recompute.rule_ids) if recompute else set()


def last_recompute(session: Session, *, done: bool) -> Recompute | None:
    """The recompute that began last; `done`: of those that are through."""
    newest = select(Recompute).order_by(Recompute.at.desc(), Recompute.id.desc()).limit(1)
    return session.scalar(newest.where(Recompute.done_at.is_not(None)) if done else newest)


def basis(session: Session) -> dict[str, Any]:
    """What days depend on besides customers, time granted and members, by kind: rules, pools, departments, zone, calendar."""
    return dict(session.execute(_BASIS).mappings().one())


def note_members(session: Session) -> list[UUID]:
    """The members who have changed, in what days depend on, since this was last asked; a new one is changed."""
    return list(session.scalars(_MEMBERS))


def shadow_days(session: Session, rule_id: UUID) -> Mapping[date, int]:
    """How many customers a shadow version would have taken, by day, the last one first."""
    counted = select(ShadowDecision.day, func.count().label("customers")).where(ShadowDecision.rule_id == rule_id)
    rows = session.execute(counted.group_by(ShadowDecision.day).order_by(ShadowDecision.day.desc()))
    return {row.day: row.customers for row in rows}


def shadow_page(
    session: Session, rule_id: UUID, day: date | None, page: int, page_size: int
) -> tuple[Sequence[ShadowDecision], int]:
    """A page of the customers that a shadow version would have taken, the last day first, and how many there are."""
    wanted = [ShadowDecision.rule_id == rule_id, ShadowDecision.day == day if day else true()]
    newest = select(ShadowDecision).where(*wanted).order_by(ShadowDecision.day.desc(), ShadowDecision.customer_id)
    found = session.scalars(newest.offset((page - 1) * page_size).limit(page_size)).all()
    return found, session.scalars(select(func.count()).select_from(ShadowDecision).where(*wanted)).one()


def _seen(session: Session, scope: Scope) -> ColumnElement[bool]:
    """Of the pools in sight: all versions for who manages pools, for others those that were announced (why one loses a
    customer is no secret).
    """
    seen = RecycleRule.pool_id.in_(visible_pools(session, scope))
    return seen if scope.may(Permission.POOL_MANAGE) else seen & RecycleRule.announced_at.is_not(None)
