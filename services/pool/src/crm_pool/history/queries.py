"""Reading what a member or a pool got and lost, newest first (C-42, H-20)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select, tuple_, union_all
from sqlalchemy.orm import Session

from chassis.errors import NotFound
from crm_pool.assignments.queries import Sight, about, assignments_of, colleagues
from crm_pool.assignments.records import HistoryEntry
from crm_pool.assignments.rules import Cause
from crm_pool.customers.projection import customer_names
from crm_pool.history.views import Period
from crm_pool.pools.model import Pool
from directory.permissions import Permission

Position = tuple[datetime, UUID, int]
_ORDER = (HistoryEntry.at, HistoryEntry.customer_id, HistoryEntry.version)


@dataclass(frozen=True)
class Wanted:
    """Whose entries, a member's or a pool's; when, why, and after which entry (`at`, customer, version)."""

    member_id: UUID | None
    pool_id: UUID | None
    period: Period
    cause: Cause | None
    after: Position | None


def require_member_in_sight(session: Session, sight: Sight, member_id: UUID) -> None:
    """Raises NotFound unless it is the caller, or somebody in the departments the caller sees, or they manage pools."""
    found = colleagues(session, [member_id]).get(member_id)
    if found is None or not (
        sight.scope.reaches(member_id, found.department_id) or sight.scope.may(Permission.POOL_MANAGE)
    ):
        raise NotFound("not_found")


def require_pool_run_by(session: Session, sight: Sight, pool_id: UUID) -> None:
    """Raises NotFound unless the caller runs the pool, manages pools or sees the company; it may have been deleted."""
    pool = session.get(Pool, pool_id)
    scope = sight.scope
    if pool is None or not (pool.run_by(scope) or scope.company or scope.may(Permission.POOL_MANAGE)):
        raise NotFound("not_found")


def entries(session: Session, wanted: Wanted, limit: int) -> Sequence[HistoryEntry]:
    """The next entries. Each of the two indexes is walked for `limit` rows at most."""
    if wanted.member_id is not None:
        gained, lost = HistoryEntry.to_owner_id, HistoryEntry.from_owner_id
    else:
        gained, lost = HistoryEntry.to_pool_id, HistoryEntry.from_pool_id
    id_ = wanted.member_id or wanted.pool_id
    # What stays where it was, as when a customer is deleted, is in both.
    arms = [_arm(wanted, limit, gained == id_), _arm(wanted, limit, lost == id_, gained.is_distinct_from(id_))]
    both = union_all(*(select(arm.subquery()) for arm in arms)).subquery()
    newest = select(both).order_by(both.c.at.desc(), both.c.customer_id.desc(), both.c.version.desc()).limit(limit)
    return session.scalars(select(HistoryEntry).from_statement(newest)).all()


def names_in_sight(session: Session, sight: Sight, customer_ids: Collection[UUID]) -> dict[UUID, str]:
    """Names of those of the customers that the caller sees."""
    found = assignments_of(session, set(customer_ids))
    sight = about(session, sight, found)
    return customer_names(session, [one.customer_id for one in found if sight.sees(one)])


def _arm(wanted: Wanted, limit: int, *whose: ColumnElement[bool]) -> Select[Any]:
    statement = select(HistoryEntry).where(
        *whose, HistoryEntry.at >= wanted.period.since, HistoryEntry.at < wanted.period.until
    )
    if wanted.cause is not None:
        statement = statement.where(HistoryEntry.cause == wanted.cause.value)
    if wanted.after is not None:
        statement = statement.where(tuple_(*_ORDER) < wanted.after)
    return statement.order_by(*(column.desc() for column in _ORDER)).limit(limit)
