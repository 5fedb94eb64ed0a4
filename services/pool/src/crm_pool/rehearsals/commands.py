"""Rehearsing a rule: judging every customer with the version in place of what its pool has, and writing down who would
expire. No assignment is changed.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from chassis.database.rows import insert_rows, listed, rowset
from chassis.days import day_of
from chassis.events.outbox import chunks, record_event
from chassis.identifiers import new_id
from crm.pool.v1 import pool_events_pb2 as pb
from crm_pool.assignments.model import Assignment
from crm_pool.assignments.queries import colleagues, page_of_owned
from crm_pool.database import among
from crm_pool.expiry.model import RecycleRule
from crm_pool.expiry.queries import cases, rules_in_force
from crm_pool.expiry.rules import with_warning
from crm_pool.pools.queries import pool_names, warning_days
from crm_pool.rehearsals import queries
from crm_pool.rehearsals.model import Rehearsal, RehearsedCustomer, RehearsedOwner
from crm_pool.rehearsals.rules import KEPT, horizon
from directory.scope import zone_of

PAGE = 1000
_FORGOTTEN_AT_ONCE = 5000
_CUSTOMERS = cast(Table, RehearsedCustomer.__table__)
_OWNERS = cast(Table, RehearsedOwner.__table__)
# Rows of customers, each with whether it would expire earlier than now.
Found = Sequence[tuple[dict[str, Any], bool]]


def rehearse(session: Session, actor_id: UUID, rule: RecycleRule, at: datetime) -> Rehearsal:
    """Begin to rehearse a version as if it took effect today; while one of it runs, that one is the answer."""
    session.execute(select(RecycleRule.id).where(RecycleRule.id == rule.id).with_for_update())
    running = session.scalar(select(Rehearsal).where(Rehearsal.rule_id == rule.id, queries.IS_OPEN).limit(1))
    return running or _begin(session, actor_id, rule, day_of(at, zone_of(session)), at)


def rehearse_announced(session: Session, actor_id: UUID, rule: RecycleRule, at: datetime) -> None:
    """Find out who is to be told that a version takes effect, and tell them once that is known."""
    assert rule.effective_on is not None, "not announced"
    _begin(session, actor_id, rule, rule.effective_on, at, announces=True)


def stop(session: Session, rule_id: UUID, at: datetime) -> None:
    """The version is not what it was: rehearsals of it that run end, and tell nobody."""
    running = update(Rehearsal).where(Rehearsal.rule_id == rule_id, queries.IS_OPEN)
    session.execute(running.values(done_at=at, stopped=True))


def rehearse_page(session: Session, at: datetime) -> bool:
    """The next customers of a rehearsal that runs and that no other worker is at. False: there is none."""
    open_one = select(Rehearsal).where(queries.IS_OPEN).order_by(Rehearsal.at, Rehearsal.id).limit(1)
    rehearsal = session.scalar(open_one.with_for_update(skip_locked=True))
    if rehearsal is None:
        return False
    holdings = page_of_owned(session, rehearsal.after_customer_id, PAGE)
    found = _would_expire(session, rehearsal, holdings)
    last = horizon(rehearsal.day)
    insert_rows(session, _CUSTOMERS, [row for row, _ in found if row["expires_on"] <= last])
    _count_owners(session, rehearsal.id, found)
    rehearsal.pass_by([one.customer_id for one in holdings])
    if len(holdings) < PAGE:
        rehearsal.done_at = at
        if rehearsal.announces:
            _tell_owners(session, rehearsal)
    return True


def forget(session: Session, at: datetime) -> bool:
    """Delete rehearsals that ended 7 days ago, some rows at a time. Whether more is to be forgotten."""
    ended = session.scalars(select(Rehearsal.id).where(Rehearsal.done_at < at - KEPT)).all()
    if not ended:
        return False
    some = select(RehearsedCustomer.rehearsal_id, RehearsedCustomer.customer_id).where(
        among(RehearsedCustomer.rehearsal_id, ended)
    )
    given = some.limit(_FORGOTTEN_AT_ONCE).subquery()
    same = (_CUSTOMERS.c.rehearsal_id == given.c.rehearsal_id, _CUSTOMERS.c.customer_id == given.c.customer_id)
    deleted = session.execute(delete(_CUSTOMERS).where(*same).returning(_CUSTOMERS.c.customer_id)).all()
    if len(deleted) == _FORGOTTEN_AT_ONCE:
        return True
    session.execute(delete(RehearsedOwner).where(among(RehearsedOwner.rehearsal_id, ended)))
    session.execute(delete(Rehearsal).where(among(Rehearsal.id, ended)))
    return False


def _begin(
    session: Session, actor_id: UUID, rule: RecycleRule, day: date, at: datetime, *, announces: bool = False
) -> Rehearsal:
    rehearsal = Rehearsal(
        id=new_id(),
        rule_id=rule.id,
        rule_version=rule.version,
        day=day,
        announces=announces,
        stopped=False,
        actor_id=actor_id,
        at=at,
        examined=0,
    )
    session.add(rehearsal)
    session.flush()
    return rehearsal


def _would_expire(session: Session, rehearsal: Rehearsal, holdings: Sequence[Assignment]) -> Found:
    """The customers that would expire by the version, however late."""
    judged = cases(session, holdings, rules=rules_in_force(session, instead=[rehearsal.rule_id]))
    owners = colleagues(session, {one.owner_id for one in holdings if one.owner_id})
    earliest = rehearsal.day + timedelta(days=warning_days(session))
    found = []
    for one in holdings:
        case = judged.get(one.customer_id)
        if case is None or case.rule is None or case.rule.id != rehearsal.rule_id:
            continue
        by_rule = case.verdict().expires_on
        expires_on = with_warning(by_rule, one.expires_on, earliest, floor=True)
        if expires_on is None:
            continue
        owner = owners.get(cast(UUID, one.owner_id))
        row = {
            "rehearsal_id": rehearsal.id,
            "customer_id": one.customer_id,
            "owner_id": one.owner_id,
            "department_id": owner.department_id if owner else None,
            "level": case.held.level,
            "expires_on": expires_on,
            "warned": expires_on != by_rule,
        }
        found.append((row, one.expires_on is None or expires_on < one.expires_on))
    return found


def _count_owners(session: Session, rehearsal_id: UUID, found: Found) -> None:
    if not found:
        return
    earlier = Counter({row["owner_id"]: 0 for row, _ in found})
    earlier.update(row["owner_id"] for row, is_earlier in found if is_earlier)
    rows = [{"rehearsal_id": rehearsal_id, "owner_id": id_, "earlier": count} for id_, count in earlier.items()]
    keys = tuple(rows[0])
    statement = insert(_OWNERS).from_select(keys, select(rowset(_OWNERS, keys)))
    added = {"earlier": _OWNERS.c.earlier + statement.excluded.earlier}
    session.execute(
        statement.on_conflict_do_update(index_elements=["rehearsal_id", "owner_id"], set_=added), listed(rows)
    )


def _tell_owners(session: Session, rehearsal: Rehearsal) -> None:
    rule = session.get_one(RecycleRule, rehearsal.rule_id)
    pool_name = pool_names(session, [rule.pool_id])[rule.pool_id]
    facts = [
        pb.RecycleRuleAnnounced(
            rule_id=str(rule.id),
            pool_id=str(rule.pool_id),
            pool_name=pool_name,
            effective_on=str(rule.effective_on),
            receivers=[pb.ReceiverCount(member_id=str(id_), customers=earlier) for id_, earlier in owners],
        )
        for owners in chunks(queries.concerned_owners(session, rehearsal.id))
    ]
    record_event(session, *facts)
