"""Reading pools. They are few: whoever needs one reads them all with one statement."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import ARRAY, CTE, Boolean, Text, Uuid, column, func, literal, select, table, union
from sqlalchemy.orm import Session

from crm_pool.database import among_ids
from crm_pool.pools.model import Pool, PoolSettings
from crm_pool.pools.rules import PoolKind
from directory.scope import Scope
from directory.tables import departments, members, roles

_ALL = select(Pool).where(Pool.deleted_at.is_(None)).order_by(Pool.is_default.desc(), Pool.name, Pool.id)
# Assignments, plans and rules build on pools, so pools know of them only this: a pool that they need stays.
_ASSIGNMENTS = table("assignments", column("pool_id", Uuid), column("suspended", Boolean))
_PLANS = table("planned_places", column("pool_id", Uuid), column("customer_ids", ARRAY(Uuid)), column("open", Boolean))
_RULES = table("recycle_rules", column("pool_id", Uuid), column("state", Text), column("target_pool_id", Uuid))


def all_pools(session: Session) -> dict[UUID, Pool]:
    """Every pool that is not deleted, the default ones first, then by name."""
    return {pool.id: pool for pool in session.scalars(_ALL)}


def visible_pools(session: Session, scope: Scope) -> dict[UUID, Pool]:
    """The pools that the member sees."""
    return {id_: pool for id_, pool in all_pools(session).items() if pool.seen_by(scope)}


def keep_existing(session: Session, pool_ids: Collection[UUID]) -> set[UUID]:
    """Of `pool_ids` those that exist, kept from being deleted until the transaction ends."""
    if not pool_ids:
        return set()
    statement = select(Pool.id).where(Pool.id.in_(sorted(set(pool_ids))), Pool.deleted_at.is_(None)).order_by(Pool.id)
    return set(session.scalars(statement.with_for_update(key_share=True, read=True)))


def customers_in(session: Session, pool_id: UUID) -> int:
    """How many customers lie in the pool or are promised to it by an import.

    Deleted customers do not count: they find another place when they are restored.
    """
    lying = select(func.count()).where(_ASSIGNMENTS.c.pool_id == pool_id, ~_ASSIGNMENTS.c.suspended).scalar_subquery()
    promised = func.coalesce(func.sum(func.cardinality(_PLANS.c.customer_ids)), 0)
    coming = select(promised).where(_PLANS.c.pool_id == pool_id, _PLANS.c.open).scalar_subquery()
    return int(session.scalars(select(lying + coming)).one())


def feeding(session: Session, pool_id: UUID) -> list[str]:
    """Names of the pools whose cascade, or rule that has not ended, puts customers into this one."""
    cascades = select(Pool.name).where(Pool.cascade_pool_id == pool_id, Pool.deleted_at.is_(None))
    rules = (
        select(Pool.name)
        .join(_RULES, _RULES.c.pool_id == Pool.id)
        .where(_RULES.c.target_pool_id == pool_id, _RULES.c.state != "ended")
        .where(Pool.id != pool_id, Pool.deleted_at.is_(None))
    )
    return sorted(session.scalars(union(cascades, rules)))


def warning_days(session: Session) -> int:
    """How many days from today a change that the owner did not cause leaves a customer at least."""
    return session.scalars(select(PoolSettings.warning_days)).one()


def pool_names(session: Session, pool_ids: Collection[UUID]) -> dict[UUID, str]:
    """Names by id, deleted pools included."""
    if not pool_ids:
        return {}
    return {row.id: row.name for row in session.execute(select(Pool.id, Pool.name).where(Pool.id.in_(pool_ids)))}


def nearest_to_be_assigned(session: Session, member_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Per member the to-be-assigned pool opened to the nearest department upwards; members without one are left out."""
    of_department = {
        department_id: pool.id
        for pool in reversed(all_pools(session).values())
        if pool.pool_kind is PoolKind.TO_BE_ASSIGNED
        for department_id in pool.department_ids
    }
    found: dict[UUID, UUID] = {}
    if of_department:
        tree = departments_upwards().c
        upwards = select(tree.member_id, tree.department_id).order_by(tree.distance)
        for row in session.execute(upwards, {"ids": list(member_ids)}):
            if row.department_id in of_department:
                found.setdefault(row.member_id, of_department[row.department_id])
    return found


def departments_upwards() -> CTE:
    """(member_id, department_id, distance) for the department of each of the members `ids`, a parameter, distance 0, and
    all above it.
    """
    tree = (
        select(members.c.id.label("member_id"), members.c.department_id, literal(0).label("distance"))
        .where(among_ids(members.c.id), members.c.department_id.is_not(None))
        .cte("upwards", recursive=True)
    )
    return tree.union_all(
        select(tree.c.member_id, departments.c.parent_id, tree.c.distance + 1).where(
            departments.c.id == tree.c.department_id, departments.c.parent_id.is_not(None), tree.c.distance < 100
        )
    )


def unknown_listed(session: Session, pool: Pool) -> set[UUID]:
    """Of the ids listed in a pool, those that are no member, department or role."""
    listed_members, departments_, roles_ = {*pool.member_ids, *pool.admin_ids}, pool.department_ids, pool.role_ids
    known = union(
        select(members.c.id).where(members.c.id.in_(listed_members)),
        select(departments.c.id).where(departments.c.id.in_(departments_), ~departments.c.deleted),
        select(roles.c.id).where(roles.c.id.in_(roles_), ~roles.c.deleted),
    )
    return {*listed_members, *departments_, *roles_}.difference(session.scalars(known))


def default_kinds(session: Session) -> set[str]:
    """The kinds whose default pool exists."""
    return set(session.scalars(select(Pool.kind).where(Pool.is_default)))


def name_taken(session: Session, name: str, but: UUID | None) -> bool:
    """Whether another pool bears the name, upper and lower case alike."""
    statement = select(Pool.id).where(func.lower(Pool.name) == name.lower(), Pool.deleted_at.is_(None), Pool.id != but)
    return session.scalar(statement.limit(1)) is not None
