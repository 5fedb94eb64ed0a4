"""Writing, announcing and ending versions of the pools' rules (C-18, C-19). Every change is audited."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, delete, func, select
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.database import lock
from chassis.days import day_of
from chassis.errors import Conflict, FieldError, NotFound, invalid
from chassis.identifiers import new_id
from crm_pool.database import Changes, require_version
from crm_pool.expiry.model import RecycleRule
from crm_pool.expiry.rules import RuleState
from crm_pool.pools.model import Pool
from crm_pool.pools.queries import all_pools, keep_existing, visible_pools
from crm_pool.pools.rules import PoolKind
from crm_pool.recycle_rules import queries
from crm_pool.recycle_rules.model import Recompute, ShadowDecision
from crm_pool.recycle_rules.rules import RECOMPUTES_KEPT, SHADOWS_KEPT, takes_effect_between
from crm_pool.rehearsals.commands import rehearse_announced, stop
from directory.scope import resolve_scope, zone_of

_FORGOTTEN_AT_ONCE = 5000


def draft(session: Session, actor_id: UUID, values: Mapping[str, Any], at: datetime) -> RecycleRule:
    """A new version of a pool's rule. Raises Invalid for a pool that the actor does not see, or a target that takes no
    customers.
    """
    pool_id = values["pool_id"]
    _check_pools(session, actor_id, pool_id, values["target_pool_id"])
    lock(session, f"recycle-rules:{pool_id}")
    last = session.scalar(select(func.max(RecycleRule.number)).where(RecycleRule.pool_id == pool_id)) or 0
    state = {"state": RuleState.DRAFT.value, "number": last + 1, "version": 1}
    rule = RecycleRule(id=new_id(), created_by=actor_id, created_at=at, updated_at=at, **state, **values)
    session.add(rule)
    session.flush()
    _record(session, "rule.drafted", actor_id, rule, ({}, dict(values)))
    return rule


def change(
    session: Session, actor_id: UUID, rule_id: UUID, expected: int, values: Mapping[str, Any], at: datetime
) -> RecycleRule:
    """Change a draft. Raises NotFound, Stale, Conflict rule_not_draft, and as `draft`."""
    rule = _locked(session, actor_id, rule_id)
    require_version(rule, expected, values)
    changed = rule.change(values, at)
    if changed:
        with session.no_autoflush:
            _check_pools(session, actor_id, rule.pool_id, rule.target_pool_id)
        session.flush()
        stop(session, rule_id, at)
        _record(session, "rule.changed", actor_id, rule, changed)
    return rule


def discard(session: Session, actor_id: UUID, rule_id: UUID, expected: int, at: datetime) -> None:
    """Delete a draft with what it recorded in the shadow. Raises NotFound, Stale, Conflict rule_not_draft."""
    rule = _locked(session, actor_id, rule_id)
    require_version(rule, expected, {})
    rule.require(RuleState.DRAFT)
    stop(session, rule_id, at)
    session.execute(delete(ShadowDecision).where(ShadowDecision.rule_id == rule_id))
    session.delete(rule)
    before = {"pool_id": str(rule.pool_id), "number": rule.number}
    record_audit(session, AuditEntry("rule.discarded", "rule", rule_id, actor_id, before))


def announce(session: Session, actor_id: UUID, rule_id: UUID, effective_on: date, at: datetime) -> RecycleRule:
    """Let a draft, or a shadow version, take effect on a day: one a pool. Its owners are told once it is known which of
    their customers will expire earlier. Raises NotFound, Invalid for a day that is not from tomorrow on, Conflict
    rule_not_draft or rule_already_announced, and as `draft`.
    """

    def act(rule: RecycleRule) -> None:
        earliest, latest = takes_effect_between(day_of(at, zone_of(session)))
        if not earliest <= effective_on <= latest:
            days = {"earliest": earliest.isoformat(), "latest": latest.isoformat()}
            raise invalid(FieldError("/effective_on", "effective_on_out_of_range", days))
        _check_pools(session, actor_id, rule.pool_id, rule.target_pool_id)
        rule.announce(effective_on, at)

    rule = _act(session, actor_id, rule_id, "rule.announced", act)
    rehearse_announced(session, actor_id, rule, at)
    return rule


def withdraw(session: Session, actor_id: UUID, rule_id: UUID, at: datetime) -> RecycleRule:
    """Make an announced version a draft again. Raises NotFound, Conflict rule_not_announced."""
    rule = _act(session, actor_id, rule_id, "rule.withdrawn", lambda rule: rule.withdraw(at))
    stop(session, rule_id, at)
    return rule


def shadow(session: Session, actor_id: UUID, rule_id: UUID, at: datetime) -> RecycleRule:
    """Let a draft record from the next run on what it would take. Raises NotFound, Conflict rule_not_draft."""
    return _act(session, actor_id, rule_id, "rule.shadowed", lambda rule: rule.shadow(at))


def end(session: Session, actor_id: UUID, rule_id: UUID, at: datetime) -> RecycleRule:
    """Switch an active or a shadow version off. Raises NotFound, Conflict rule_not_active."""
    return _act(session, actor_id, rule_id, "rule.ended", lambda rule: rule.end(at))


def let_take_effect(session: Session, at: datetime) -> None:
    """Announced versions whose day has come take the place of those before; without their pool they end."""
    pools = all_pools(session)
    for rule_id in queries.due_rules(session, day_of(at, zone_of(session))):
        versions = queries.versions_with(session, rule_id)
        rule = next(one for one in versions if one.id == rule_id)
        if rule.state != RuleState.ANNOUNCED.value:
            continue
        for former in versions:
            if former.state == RuleState.ACTIVE.value:
                former.end(at)
                _record(session, "rule.ended", None, former, _moved(RuleState.ACTIVE, former))
        session.flush()
        rule.take_effect(at)
        if rule.pool_id not in pools:
            rule.end(at)
        session.flush()
        _record(session, "rule.took_effect", None, rule, _moved(RuleState.ANNOUNCED, rule))


def forget(session: Session, at: datetime) -> bool:
    """Delete what shadow versions recorded 90 days ago, some rows at a time, and recomputes but the last ones. Whether more
    is to be forgotten.
    """
    first = day_of(at, zone_of(session)) - SHADOWS_KEPT
    old = select(ShadowDecision).where(ShadowDecision.day < first).limit(_FORGOTTEN_AT_ONCE)
    given, shadows = old.subquery(), cast(Table, ShadowDecision.__table__)
    same = (shadows.c[name] == given.c[name] for name in ("rule_id", "day", "customer_id"))
    deleted = session.execute(delete(shadows).where(*same).returning(shadows.c.day)).all()
    last = queries.last_recompute(session, done=True)
    if last is not None:
        session.execute(delete(Recompute).where(Recompute.done_at < at - RECOMPUTES_KEPT, Recompute.id != last.id))
    return len(deleted) == _FORGOTTEN_AT_ONCE


def _act(
    session: Session, actor_id: UUID, rule_id: UUID, action: str, act: Callable[[RecycleRule], None]
) -> RecycleRule:
    rule = _locked(session, actor_id, rule_id)
    before = RuleState(rule.state)
    with session.no_autoflush:
        act(rule)
        _require_one_announced(session, rule)
    session.flush()
    _record(session, action, actor_id, rule, _moved(before, rule))
    return rule


def _require_one_announced(session: Session, rule: RecycleRule) -> None:
    if rule.state != RuleState.ANNOUNCED.value:
        return
    others = select(RecycleRule).where(RecycleRule.pool_id == rule.pool_id, RecycleRule.id != rule.id)
    announced = session.scalar(others.where(RecycleRule.state == RuleState.ANNOUNCED.value))
    if announced is not None:
        raise Conflict("rule_already_announced", number=announced.number, effective_on=str(announced.effective_on))


def _locked(session: Session, actor_id: UUID, rule_id: UUID) -> RecycleRule:
    """A version in the actor's sight, locked with the others of its pool. Raises NotFound."""
    if queries.rule_in_sight(session, resolve_scope(session, actor_id), rule_id) is not None:
        for rule in queries.versions_with(session, rule_id):
            if rule.id == rule_id:
                return rule
    raise NotFound("not_found")


def _check_pools(session: Session, actor_id: UUID, pool_id: UUID, target_pool_id: UUID | None) -> None:
    """The pool is in sight; customers are taken into one to claim or to assign from (C-36)."""
    kept = keep_existing(session, [pool_id, target_pool_id or pool_id])
    seen = visible_pools(session, resolve_scope(session, actor_id))
    pools = {id_: pool for id_, pool in seen.items() if id_ in kept}
    if pool_id not in pools:
        raise invalid(FieldError("/pool_id", "pool_not_found"))
    target: Pool | None = pools.get(target_pool_id or pool_id)
    if target is None:
        raise invalid(FieldError("/target_pool_id", "pool_not_found"))
    if target.pool_kind is PoolKind.PROSPECT:
        raise invalid(FieldError("/target_pool_id", "prospects_are_no_target"))


def _moved(before: RuleState, rule: RecycleRule) -> Changes:
    effective_on = {"effective_on": rule.effective_on} if rule.effective_on else {}
    return {"state": before.value}, {"state": rule.state, **effective_on}


def _record(session: Session, action: str, actor_id: UUID | None, rule: RecycleRule, changed: Changes) -> None:
    before, after = changed
    record_audit(session, AuditEntry(action, "rule", rule.id, actor_id, before or None, after))
