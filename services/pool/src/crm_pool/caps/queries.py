"""Which cap holds for whom, and how much room it leaves."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ARRAY, Boolean, Select, Table, Uuid, bindparam, column, exists, func, select, table, text, true
from sqlalchemy.orm import Session

from crm_pool.caps.model import HoldingCap
from crm_pool.caps.rules import Room
from crm_pool.customers.model import Customer
from crm_pool.database import among
from crm_pool.pools.model import PoolSettings
from crm_pool.pools.queries import departments_upwards
from directory.tables import departments, members

# Assignments build on caps, so caps know of them only how many somebody owns.
_ASSIGNMENTS = table("assignments", column("customer_id", Uuid), column("owner_id", Uuid), column("suspended", Boolean))
_SETTINGS, _HOLDING = cast(Table, PoolSettings.__table__).c, cast(Table, HoldingCap.__table__).c


def _caps() -> Select[Any]:
    """(id, cap, cap_counts_won) for each of the members `ids`, a parameter."""
    tree = departments_upwards()
    ids = bindparam("ids", type_=ARRAY(Uuid))
    asked = func.unnest(ids).table_valued(column("id", Uuid)).render_derived("asked")
    own = select(_HOLDING.cap).where(_HOLDING.member_id == asked.c.id).scalar_subquery()
    nearest = (
        select(_HOLDING.cap)
        .join(tree, tree.c.department_id == _HOLDING.department_id)
        .where(tree.c.member_id == asked.c.id)
        .order_by(tree.c.distance)
        .limit(1)
        .scalar_subquery()
    )
    cap = func.coalesce(own, nearest, _SETTINGS.holding_cap).label("cap")
    return select(asked.c.id, cap, _SETTINGS.cap_counts_won).select_from(asked).join(PoolSettings.__table__, true())


_CAPS = _caps()


@dataclass(frozen=True)
class Caps:
    """The cap of each member who has one, and whether won customers count."""

    of: dict[UUID, int]
    count_won: bool


def caps_of(session: Session, member_ids: Collection[UUID]) -> Caps:
    """The most specific cap of each member: their own, that of the nearest department upwards, the organisation's."""
    if not member_ids:
        return Caps({}, count_won=True)
    rows = session.execute(_CAPS, {"ids": list(member_ids)}).all()
    count_won = all(row.cap_counts_won for row in rows)
    return Caps({row.id: row.cap for row in rows if row.cap is not None}, count_won)


def room(session: Session, member_ids: Collection[UUID]) -> Room:
    """How much room each of the members has at this moment."""
    return _room(session, caps_of(session, member_ids))


def kept_room(session: Session, member_ids: Collection[UUID]) -> Room:
    """How much room each of the members has; until the transaction ends nobody else takes of it.

    Ask before assignments are locked, always.
    """
    caps = caps_of(session, member_ids)
    lock_members(session, caps.of)
    return _room(session, caps)


def counted(member_ids: Collection[UUID], *, count_won: bool) -> Select[Any]:
    """(owner_id, customers): how many customers of each count against a cap; those of deleted customers do not."""
    owned = (
        select(_ASSIGNMENTS.c.owner_id, func.count().label("customers"))
        .where(among(_ASSIGNMENTS.c.owner_id, member_ids), ~_ASSIGNMENTS.c.suspended)
        .group_by(_ASSIGNMENTS.c.owner_id)
    )
    if count_won:
        return owned
    return owned.where(~exists().where(Customer.id == _ASSIGNMENTS.c.customer_id, Customer.won))


def lock_members(session: Session, member_ids: Collection[UUID]) -> None:
    """Let nobody else count or add customers of these members until the transaction ends. Before assignments, always."""
    if member_ids:
        session.execute(
            text(
                "SELECT pg_advisory_xact_lock(key) FROM (SELECT DISTINCT hashtextextended('member:' || id, 0) AS key"
                " FROM unnest(CAST(:ids AS uuid[])) AS id ORDER BY key) AS keys"
            ),
            {"ids": list(member_ids)},
        )


def caps_page(session: Session, page: int, page_size: int) -> tuple[Sequence[Any], int]:
    """A page of the caps set, departments' first, then by name; and how many there are."""
    name = func.coalesce(departments.c.name, members.c.name, "").label("name")
    of = HoldingCap.__table__.c
    statement = (
        select(of.id, of.version, of.cap, of.member_id, of.department_id, name)
        .outerjoin(departments, departments.c.id == of.department_id)
        .outerjoin(members, members.c.id == of.member_id)
        .order_by(of.department_id.is_(None), name, of.id)
    )
    found = session.execute(statement.offset((page - 1) * page_size).limit(page_size)).all()
    return found, session.scalars(select(func.count()).select_from(HoldingCap)).one()


def name_of(session: Session, cap: HoldingCap) -> str | None:
    """Whose cap it is: an active member or an existing department; None: there is no such one."""
    if cap.member_id is not None:
        return session.scalar(select(members.c.name).where(members.c.id == cap.member_id, members.c.active))
    return session.scalar(
        select(departments.c.name).where(departments.c.id == cap.department_id, ~departments.c.deleted)
    )


def _room(session: Session, caps: Caps) -> Room:
    if not caps.of:
        return Room({})
    rows = session.execute(counted(caps.of, count_won=caps.count_won))
    owned = {row.owner_id: row.customers for row in rows}
    return Room({id_: cap - owned.get(id_, 0) for id_, cap in caps.of.items()}, counts_won=caps.count_won)
