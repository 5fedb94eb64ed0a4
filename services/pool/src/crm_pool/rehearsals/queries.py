"""Reading what a rehearsal found."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from crm_pool.database import among
from crm_pool.expiry.model import RecycleRule
from crm_pool.pools.queries import visible_pools
from crm_pool.rehearsals.model import Rehearsal, RehearsedCustomer, RehearsedOwner
from crm_pool.rehearsals.rules import WINDOWS
from directory.scope import Scope
from directory.tables import departments

IS_OPEN = Rehearsal.done_at.is_(None)


@dataclass(frozen=True)
class Filter:
    """Which of the customers: of an owner, a department, a level, expiring by a day; None asks nothing."""

    owner_id: UUID | None = None
    department_id: UUID | None = None
    level: str | None = None
    until: date | None = None


def rule_to_rehearse(session: Session, scope: Scope, rule_id: UUID) -> RecycleRule | None:
    """A version of the rule of a pool that the member sees."""
    seen = RecycleRule.pool_id.in_(visible_pools(session, scope))
    return session.scalar(select(RecycleRule).where(RecycleRule.id == rule_id, seen))


def rehearsal_in_sight(session: Session, scope: Scope, rehearsal_id: UUID) -> Rehearsal | None:
    """A rehearsal of the rule of a pool that the member sees, also of a version deleted since."""
    found = session.get(Rehearsal, rehearsal_id)
    rule = session.get(RecycleRule, found.rule_id) if found else None
    return found if rule is None or rule.pool_id in visible_pools(session, scope) else None


def newest(session: Session, rule_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """The last rehearsal of each version, if one is kept."""
    found = select(Rehearsal.rule_id, Rehearsal.id).where(among(Rehearsal.rule_id, rule_ids))
    return {row.rule_id: row.id for row in session.execute(found.order_by(Rehearsal.at, Rehearsal.id))}


def totals(session: Session, rehearsal: Rehearsal) -> Mapping[str, int]:
    """How many customers in all, by window."""
    return dict(session.execute(select(*_counts(rehearsal)).where(_of(rehearsal))).mappings().one())


def warned(session: Session, rehearsal: Rehearsal) -> int:
    """How many customers only the warning days keep from expiring sooner."""
    counted = select(func.count()).select_from(RehearsedCustomer).where(_of(rehearsal), RehearsedCustomer.warned)
    return session.scalars(counted).one()


def grouped(
    session: Session, rehearsal: Rehearsal, by: InstrumentedAttribute[Any]
) -> Sequence[tuple[Any, Mapping[str, int]]]:
    """How many customers by window, for each value of the column `by`, the most first."""
    counts = _counts(rehearsal)
    grouping = select(by.label("value"), *counts).where(_of(rehearsal)).group_by(by)
    rows = session.execute(grouping.order_by(counts[-1].desc(), by)).mappings()
    return [(row["value"], {name: row[name] for name in WINDOWS}) for row in rows]


def by_day(session: Session, rehearsal: Rehearsal) -> Mapping[date, int]:
    """How many customers on each day; those overdue count on the first."""
    day = func.greatest(RehearsedCustomer.expires_on, rehearsal.day).label("day")
    counted = select(day, func.count().label("customers")).where(_of(rehearsal)).group_by(day)
    return {row.day: row.customers for row in session.execute(counted)}


def owners_page(
    session: Session, rehearsal: Rehearsal, page: int, page_size: int
) -> tuple[Sequence[tuple[RehearsedOwner, Mapping[str, int]]], int]:
    """A page of the owners, who would lose most first, and how many there are."""
    counts = _counts(rehearsal)
    joined = (RehearsedCustomer.rehearsal_id == rehearsal.id) & (RehearsedCustomer.owner_id == RehearsedOwner.owner_id)
    of_rehearsal = RehearsedOwner.rehearsal_id == rehearsal.id
    owners = select(RehearsedOwner, *counts).outerjoin(RehearsedCustomer, joined).where(of_rehearsal)
    ordered = owners.group_by(RehearsedOwner.rehearsal_id, RehearsedOwner.owner_id).order_by(
        counts[-1].desc(), RehearsedOwner.earlier.desc(), RehearsedOwner.owner_id
    )
    rows = session.execute(ordered.offset((page - 1) * page_size).limit(page_size))
    found = [(row[0], dict(zip(WINDOWS, row[1:], strict=True))) for row in rows]
    return found, session.scalars(select(func.count()).select_from(RehearsedOwner).where(of_rehearsal)).one()


def customers_page(
    session: Session, rehearsal: Rehearsal, wanted: Filter, page: int, page_size: int
) -> tuple[Sequence[RehearsedCustomer], int]:
    """A page of the customers, the next to expire first, and how many there are."""
    matching = _matching(select(RehearsedCustomer).where(_of(rehearsal)), wanted)
    ordered = matching.order_by(RehearsedCustomer.expires_on, RehearsedCustomer.customer_id)
    found = session.scalars(ordered.offset((page - 1) * page_size).limit(page_size)).all()
    return found, session.scalars(select(func.count()).select_from(matching.subquery())).one()


def concerned_owners(session: Session, rehearsal_id: UUID) -> Sequence[tuple[UUID, int]]:
    """Owners some of whose customers would expire earlier, and how many."""
    concerned = select(RehearsedOwner.owner_id, RehearsedOwner.earlier).where(
        RehearsedOwner.rehearsal_id == rehearsal_id, RehearsedOwner.earlier > 0
    )
    return [(row.owner_id, row.earlier) for row in session.execute(concerned.order_by(RehearsedOwner.owner_id))]


def department_names(session: Session, ids: Collection[UUID]) -> dict[UUID, str]:
    """Names by id, departments that are gone included."""
    named = select(departments.c.id, departments.c.name).where(departments.c.id.in_(ids))
    return {row.id: row.name for row in session.execute(named)}


def _of(rehearsal: Rehearsal) -> ColumnElement[bool]:
    return RehearsedCustomer.rehearsal_id == rehearsal.id


def _counts(rehearsal: Rehearsal) -> list[Any]:
    """One count for each window; no window reaches beyond what is kept."""
    ends = {name: rehearsal.day + timedelta(days=days) for name, days in WINDOWS.items()}
    counted = func.count(RehearsedCustomer.customer_id)
    return [counted.filter(RehearsedCustomer.expires_on <= end).label(name) for name, end in ends.items()]


def _matching(customers: Select[RehearsedCustomer], wanted: Filter) -> Select[RehearsedCustomer]:
    if wanted.owner_id is not None:
        customers = customers.where(RehearsedCustomer.owner_id == wanted.owner_id)
    if wanted.department_id is not None:
        customers = customers.where(RehearsedCustomer.department_id == wanted.department_id)
    if wanted.level is not None:
        customers = customers.where(RehearsedCustomer.level == wanted.level)
    if wanted.until is not None:
        customers = customers.where(RehearsedCustomer.expires_on <= wanted.until)
    return customers
