"""What a member may see, resolved once per request into plain values for a query (design §2.6, H-12, H-13)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, exists, func, literal, select, text
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from chassis.errors import Unauthenticated
from directory.tables import departments, members, organisation, roles

DEFAULT_ZONE = "Asia/Shanghai"


class DataScope(IntEnum):
    """How far a role sees: 普通, 部门, 中心, 公司. The widest of a member's roles counts."""

    OWN = 1
    DEPARTMENT = 2
    CENTRE = 3
    COMPANY = 4


_REACHES = {"own": DataScope.OWN, "department": DataScope.DEPARTMENT, "centre": DataScope.CENTRE}


@dataclass(frozen=True)
class Belonging:
    """What decides to which pools a member belongs: own department and all above it, for pools opened to a department with
    everything below, and roles.
    """

    member_id: UUID
    ancestor_ids: tuple[UUID, ...]
    role_ids: tuple[UUID, ...]

    def belongs_to_pool(
        self,
        *,
        open_to_all: bool,
        member_ids: Collection[UUID],
        department_ids: Collection[UUID],
        role_ids: Collection[UUID],
    ) -> bool:
        """Whether a pool opened like this counts the member among its own: those who may claim from it.

        A listed department counts with everything below it; a pool open to nobody has no members.
        """
        return (
            open_to_all
            or self.member_id in member_ids
            or not set(department_ids).isdisjoint(self.ancestor_ids)
            or not set(role_ids).isdisjoint(self.role_ids)
        )


@dataclass(frozen=True)
class Scope(Belonging):
    """`department_ids`: departments whose customers the member sees (empty for OWN; meaningless for COMPANY);
    `colleague_ids`: the others in the member's user groups, whose customers the member sees and maintains (H-11);
    `zone`: the organisation's, IANA.
    """

    data_scope: DataScope
    department_id: UUID | None
    department_ids: tuple[UUID, ...]
    colleague_ids: tuple[UUID, ...]
    permissions: frozenset[str]
    zone: str

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

    def sees_pool(
        self,
        *,
        to_be_assigned: bool,
        open_to_all: bool,
        member_ids: Collection[UUID],
        department_ids: Collection[UUID],
        role_ids: Collection[UUID],
        admin_ids: Collection[UUID],
    ) -> bool:
        """Whether the member sees a pool and the customers in it (C-10, C-14): the one rule of every service.

        Its administrators see it always. To-be-assigned pools need pool.to_be_assigned of everybody else. Besides its own
        members a pool is seen by whoever manages pools, sees the company, or sees a department that it is opened to.
        """
        if self.member_id in admin_ids:
            return True
        if to_be_assigned and not self.may("pool.to_be_assigned"):
            return False
        return (
            self.company
            or self.may("pool.manage")
            or not set(department_ids).isdisjoint(self.department_ids)
            or self.belongs_to_pool(
                open_to_all=open_to_all, member_ids=member_ids, department_ids=department_ids, role_ids=role_ids
            )
        )


# One statement, because every request begins with it: own roles, their widest reach, the departments within it, those
# above, the colleagues, the zone.
_SCOPE = text("""
    WITH RECURSIVE me AS (
        SELECT department_id, role_ids FROM directory_members WHERE id = :member AND active
    ), held AS (
        SELECT permissions, data_scope FROM directory_roles WHERE id = ANY ((SELECT role_ids FROM me)::uuid[]) AND NOT deleted
    ), reach AS (
        SELECT coalesce(max(data_scope), :own) AS data_scope FROM held
    ), below AS (
        SELECT department_id AS id FROM me, reach WHERE department_id IS NOT NULL AND data_scope IN (:department, :centre)
        UNION
        SELECT departments.id FROM directory_departments departments JOIN below ON departments.parent_id = below.id, reach
        WHERE data_scope = :centre AND NOT deleted
    ), above AS (
        SELECT departments.id, parent_id, 0 AS distance FROM directory_departments departments JOIN me ON id = department_id
        UNION ALL
        SELECT departments.id, departments.parent_id, distance + 1 FROM directory_departments departments
        JOIN above ON departments.id = above.parent_id WHERE distance < 100
    )
    SELECT department_id, data_scope, ARRAY(SELECT id FROM below) AS department_ids,
        ARRAY(SELECT id FROM above ORDER BY distance) AS ancestor_ids,
        ARRAY(SELECT DISTINCT colleague.id FROM directory_groups, unnest(member_ids) AS colleague (id)
              WHERE member_ids @> ARRAY[CAST(:member AS uuid)] AND NOT deleted AND colleague.id <> :member
              ORDER BY colleague.id) AS colleague_ids,
        ARRAY(SELECT unnest(permissions) FROM held) AS permissions, role_ids,
        (SELECT zone FROM directory_organisation) AS zone
    FROM me, reach
""")


def resolve_scope(session: Session, member_id: UUID) -> Scope:
    """The scope of an active member. Raises Unauthenticated for one who is unknown or has left."""
    found = session.execute(_SCOPE, {"member": member_id, **_REACHES}).one_or_none()
    if found is None:
        raise Unauthenticated("token_revoked")
    return Scope(
        member_id=member_id,
        data_scope=DataScope(found.data_scope),
        department_id=found.department_id,
        department_ids=tuple(found.department_ids),
        ancestor_ids=tuple(found.ancestor_ids),
        colleague_ids=tuple(found.colleague_ids),
        permissions=frozenset(found.permissions),
        role_ids=tuple(found.role_ids),
        zone=found.zone or DEFAULT_ZONE,
    )


# The way up is walked once a department, however many members it has.
_BELONGINGS = text("""
    WITH RECURSIVE asked AS (
        SELECT id, department_id, role_ids FROM directory_members WHERE id = ANY(CAST(:members AS uuid[])) AND active
    ), above AS (
        SELECT departments.id AS department_id, departments.id, parent_id, 0 AS distance
        FROM directory_departments departments WHERE departments.id IN (SELECT department_id FROM asked)
        UNION ALL
        SELECT above.department_id, departments.id, departments.parent_id, distance + 1
        FROM directory_departments departments JOIN above ON departments.id = above.parent_id WHERE distance < 100
    ), ways AS (
        SELECT department_id, array_agg(id ORDER BY distance) AS ancestor_ids FROM above GROUP BY department_id
    )
    SELECT asked.id, role_ids, coalesce(ancestor_ids, '{}') AS ancestor_ids FROM asked LEFT JOIN ways USING (department_id)
""")


def belongings(session: Session, member_ids: Collection[UUID]) -> dict[UUID, Belonging]:
    """To which pools members can belong, by member; those who are unknown or have left are left out."""
    found = session.execute(_BELONGINGS, {"members": list(member_ids)})
    return {row.id: Belonging(row.id, tuple(row.ancestor_ids), tuple(row.role_ids)) for row in found}


def managers_of(session: Session, member_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Per member the head of the nearest department upwards other than the member (design §3, Manager); members without
    one are left out.
    """
    tree = (
        select(members.c.id.label("member_id"), departments.c.parent_id, departments.c.head_id)
        .add_columns(literal(0).label("distance"))
        .join(departments, departments.c.id == members.c.department_id)
        .where(members.c.id == any_(literal(list(member_ids), ARRAY(Uuid))))
        .cte("upwards", recursive=True)
    )
    tree = tree.union_all(
        select(tree.c.member_id, departments.c.parent_id, departments.c.head_id, tree.c.distance + 1).where(
            departments.c.id == tree.c.parent_id, tree.c.distance < 100
        )
    )
    heads = select(tree.c.member_id, tree.c.head_id).where(tree.c.head_id != tree.c.member_id)
    nearest = heads.ext(distinct_on(tree.c.member_id)).order_by(tree.c.member_id, tree.c.distance)
    return {row.member_id: row.head_id for row in session.execute(nearest)}


def manager_of(session: Session, member_id: UUID) -> UUID | None:
    """The manager of one member, see `managers_of`."""
    return managers_of(session, [member_id]).get(member_id)


def holders_of(session: Session, permission: str) -> list[UUID]:
    """Active people who hold `permission`, in id order."""
    held = exists().where(
        roles.c.id == func.any(members.c.role_ids), roles.c.permissions.contains([permission]), ~roles.c.deleted
    )
    found = select(members.c.id).where(members.c.active, ~members.c.service_account, held)
    return list(session.scalars(found.order_by(members.c.id)))


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
