"""Who holds what."""

from collections.abc import Sequence

from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import Session

from crm_identity.holdings.rules import granted, widest
from crm_identity.holdings.views import HeldPermission, HoldingsFilter, HoldingsQuery, HoldingsView
from crm_identity.organisation import queries
from crm_identity.organisation.model import Department, Member, Role
from crm_identity.organisation.views import Named


def page_of_holdings(session: Session, query: HoldingsQuery) -> tuple[list[HoldingsView], int]:
    """One page of members by name with all they hold, and how many there are."""
    members, total = queries.page_of(session, _matching(query), query.page, query.page_size)
    return _holdings(session, members), total


def all_holdings(session: Session, wanted: HoldingsFilter) -> list[HoldingsView]:
    """Every such member by name with all they hold."""
    return _holdings(session, session.scalars(_matching(wanted)).all())


def _matching(wanted: HoldingsFilter) -> Select[Member]:
    found = select(Member).where(Member.active == wanted.active).order_by(Member.name, Member.id)
    if wanted.service_account is not None:
        found = found.where(Member.service_account == wanted.service_account)
    if wanted.role_id:
        found = found.where(Member.role_ids.contains([wanted.role_id]))
    if wanted.department_id:
        found = found.where(Member.department_id.in_(queries.subtree(wanted.department_id)))
    if wanted.permission:
        grants = Role.permissions.contains([wanted.permission.value])
        found = found.where(exists().where(Role.id == func.any(Member.role_ids), grants))
    return found


def _holdings(session: Session, members: Sequence[Member]) -> list[HoldingsView]:
    roles = session.scalars(select(Role).order_by(Role.name)).all()
    departments = {row.id: Named.model_validate(row) for row in session.scalars(select(Department))}
    return [_held(member, departments[member.department_id], roles) for member in members]


def _held(member: Member, department: Named, roles: Sequence[Role]) -> HoldingsView:
    held = [role for role in roles if role.id in member.role_ids]
    return HoldingsView(
        id=member.id,
        login=member.login,
        name=member.name,
        department=department,
        roles=[Named.model_validate(role) for role in held],
        data_scope=widest(held),
        permissions=[HeldPermission(code=code, roles=names) for code, names in granted(held).items()],
        active=member.active,
        service_account=member.service_account,
        last_login_at=member.last_login_at,
    )
