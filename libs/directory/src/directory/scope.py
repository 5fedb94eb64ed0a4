"""What a member may see, resolved once per request into plain values for a query (design §2.6, H-12, H-13)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any, cast
from uuid import UUID

from sqlalchemy import func, literal, select
from sqlalchemy.orm import Session

from chassis.errors import Unauthenticated
from directory.tables import departments, groups, members, organisation, roles

DEFAULT_ZONE = "Asia/Shanghai"


class DataScope(IntEnum):
    """How far a role sees: 普通, 部门, 中心, 公司. The widest of a member's roles counts."""

    OWN = 1
    DEPARTMENT = 2
    CENTRE = 3
    COMPANY = 4


@dataclass(frozen=True)
class Scope:
    """`department_ids`: departments whose customers the member sees (empty for OWN; meaningless for COMPANY);
    `ancestor_ids`: own department and all above it, for pools opened to a department with everything below;
    `colleague_ids`: the others in the member's user groups, whose customers the member sees and maintains (H-11).
    """

    member_id: UUID
    data_scope: DataScope
    department_id: UUID | None
    department_ids: tuple[UUID, ...]
    ancestor_ids: tuple[UUID, ...]
    colleague_ids: tuple[UUID, ...]
    permissions: frozenset[str]

    @property
    def company(self) -> bool:
        """Whether everything is visible."""
        return self.data_scope is DataScope.COMPANY

    def may(self, permission: str) -> bool:
        """Whether the member holds `permission`."""
        return permission in self.permissions

    def reaches(self, member_id: UUID, department_id: UUID | None) -> bool:
        """Whether the member may give customers to another: to oneself, or to somebody in a department one sees."""
        return self.company or member_id == self.member_id or department_id in self.department_ids

    def belongs_to_pool(
        self, *, open_to_all: bool, member_ids: Collection[UUID], department_ids: Collection[UUID]
    ) -> bool:
        """Whether a pool opened like this counts the member among its own: those who may claim from it.

        A listed department counts with everything below it; a pool open to nobody has no members.
        """
        return open_to_all or self.member_id in member_ids or not set(department_ids).isdisjoint(self.ancestor_ids)

    def sees_pool(
        self,
        *,
        to_be_assigned: bool,
        open_to_all: bool,
        member_ids: Collection[UUID],
        department_ids: Collection[UUID],
    ) -> bool:
        """Whether the member sees a pool and the customers in it (C-10, C-14): the one rule of every service.

        To-be-assigned pools need pool.to_be_assigned. Besides its own members a pool is seen by whoever manages
        pools, sees the company, or sees a department that it is opened to.
        """
        if to_be_assigned and not self.may("pool.to_be_assigned"):
            return False
        return (
            self.company
            or self.may("pool.manage")
            or not set(department_ids).isdisjoint(self.department_ids)
            or self.belongs_to_pool(open_to_all=open_to_all, member_ids=member_ids, department_ids=department_ids)
        )


def resolve_scope(session: Session, member_id: UUID) -> Scope:
    """The scope of an active member. Raises Unauthenticated for one who is unknown or has left."""
    member = session.execute(
        select(members.c.department_id, members.c.role_ids).where(members.c.id == member_id, members.c.active)
    ).one_or_none()
    if member is None:
        raise Unauthenticated("token_revoked")
    held = session.execute(
        select(roles.c.permissions, roles.c.data_scope).where(roles.c.id.in_(member.role_ids), ~roles.c.deleted)
    ).all()
    data_scope = DataScope(max((role.data_scope for role in held), default=DataScope.OWN))
    return Scope(
        member_id=member_id,
        data_scope=data_scope,
        department_id=member.department_id,
        department_ids=_departments(session, data_scope, member.department_id),
        ancestor_ids=ancestors(session, member.department_id),
        colleague_ids=_colleagues(session, member_id),
        permissions=frozenset(code for role in held for code in role.permissions),
    )


def _colleagues(session: Session, member_id: UUID) -> tuple[UUID, ...]:
    listed = session.scalars(
        select(groups.c.member_ids).where(groups.c.member_ids.contains([member_id]), ~groups.c.deleted)
    )
    return tuple(sorted({colleague_id for ids in listed for colleague_id in ids} - {member_id}))


def _departments(session: Session, data_scope: DataScope, own: UUID | None) -> tuple[UUID, ...]:
    if own is None or data_scope in (DataScope.OWN, DataScope.COMPANY):
        return ()
    return (own,) if data_scope is DataScope.DEPARTMENT else below(session, own)


def below(session: Session, department_id: UUID) -> tuple[UUID, ...]:
    """The department and everything below it (中心)."""
    tree = select(departments.c.id).where(departments.c.id == department_id).cte("tree", recursive=True)
    tree = tree.union(select(departments.c.id).where(departments.c.parent_id == tree.c.id, ~departments.c.deleted))
    return tuple(session.scalars(select(tree.c.id)))


def ancestors(session: Session, department_id: UUID | None) -> tuple[UUID, ...]:
    """The department and everything above it, nearest first."""
    return tuple(row.id for row in _upwards(session, department_id))


def _upwards(session: Session, department_id: UUID | None) -> Sequence[Any]:
    if department_id is None:
        return []
    start = select(
        departments.c.id, departments.c.parent_id, departments.c.head_id, literal(0).label("distance")
    ).where(departments.c.id == department_id)
    tree = start.cte("upwards", recursive=True)
    tree = tree.union_all(
        select(departments.c.id, departments.c.parent_id, departments.c.head_id, tree.c.distance + 1).where(
            departments.c.id == tree.c.parent_id, tree.c.distance < 100
        )
    )
    return session.execute(select(tree).order_by(tree.c.distance)).all()


def manager_of(session: Session, member_id: UUID) -> UUID | None:
    """Head of the nearest department upwards other than the member (design §3, Manager)."""
    department_id = session.scalar(select(members.c.department_id).where(members.c.id == member_id))
    for department in _upwards(session, department_id):
        if department.head_id not in (None, member_id):
            return cast(UUID, department.head_id)
    return None


def is_absent(absent_from: datetime | None, absent_until: datetime | None, at: datetime) -> bool:
    """Whether a member with these columns is away at `at` (UTC): from the beginning of an absence until before its end."""
    return absent_until is not None and (absent_from is None or absent_from <= at) and at < absent_until


def active_members(session: Session, member_ids: Collection[UUID]) -> dict[UUID, UUID | None]:
    """Of `member_ids`, those to whom something can be assigned now, each with its department."""
    rows = session.execute(
        select(members.c.id, members.c.department_id).where(members.c.id.in_(member_ids), members.c.active)
    )
    return {row.id: row.department_id for row in rows}


def members_named(session: Session, names: Collection[str]) -> dict[str, list[UUID]]:
    """Active members by login or display name (D-30); a name borne by several maps to all of them."""
    found: dict[str, list[UUID]] = {}
    rows = session.execute(
        select(members.c.id, members.c.login, members.c.name).where(
            members.c.active, members.c.login.in_(names) | members.c.name.in_(names)
        )
    )
    for row in rows:
        for name in {row.login, row.name} & set(names):
            found.setdefault(name, []).append(row.id)
    return found


def zone_of(session: Session) -> str:
    """The organisation's IANA zone."""
    return session.scalar(select(organisation.c.zone)) or DEFAULT_ZONE


def members_count(session: Session) -> int:
    """How many active members the directory holds."""
    return session.scalar(select(func.count()).select_from(members).where(members.c.active)) or 0
