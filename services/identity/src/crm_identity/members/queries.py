"""Reading members."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from crm_identity.credentials.model import Credential
from crm_identity.members.views import ColleagueView, MemberQuery
from crm_identity.organisation import queries
from crm_identity.organisation.model import Department, Group, Member
from crm_identity.organisation.views import Named


def colleagues(session: Session, query: MemberQuery) -> tuple[list[ColleagueView], int]:
    """One page of members by name, and how many there are in all."""
    members, total = queries.page_of(session, _matching(query), query.page, query.page_size)
    wanted = select(Department).where(Department.id.in_({member.department_id for member in members}))
    departments = {department.id: Named.model_validate(department) for department in session.scalars(wanted)}
    return [
        ColleagueView(
            id=member.id,
            login=member.login,
            name=member.name,
            email=member.email,
            department=departments[member.department_id],
            active=member.active,
            absent_from=member.absent_from,
            absent_until=member.absent_until,
        )
        for member in members
    ], total


def invitees(session: Session, member_ids: Collection[UUID]) -> list[tuple[Member, bool]]:
    """The members with these ids, locked, and whether each has a password or secret."""
    rows = session.execute(
        select(Member, Credential.member_id)
        .outerjoin(Credential, Credential.member_id == Member.id)
        .where(Member.id.in_(member_ids))
        .order_by(Member.id)
        .with_for_update(of=Member)
    )
    return [(member, credential_id is not None) for member, credential_id in rows]


def _matching(query: MemberQuery) -> Select[Member]:
    conditions: list[ColumnElement[bool]] = [
        Member.active == query.active,
        Member.service_account == query.service_account,
    ]
    if query.search:
        conditions.append(
            or_(
                Member.name.icontains(query.search, autoescape=True),
                Member.login.icontains(query.search, autoescape=True),
            )
        )
    if query.department_id:
        conditions.append(Member.department_id.in_(queries.subtree(query.department_id)))
    if query.role_id:
        conditions.append(Member.role_ids.contains([query.role_id]))
    if query.group_id:
        conditions.append(Member.id.in_(select(func.unnest(Group.member_ids)).where(Group.id == query.group_id)))
    key = _SORTS[query.sort.removeprefix("-")]
    order = (key.desc(), Member.id.desc()) if query.sort.startswith("-") else (key, Member.id)
    return select(Member).join(Department, Department.id == Member.department_id).where(*conditions).order_by(*order)


_SORTS: Mapping[str, Any] = {"name": Member.name, "login": Member.login, "department": Department.name}
