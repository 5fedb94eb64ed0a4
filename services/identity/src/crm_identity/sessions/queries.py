"""Who tries to log in, and who is logged in."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_identity.credentials.model import Credential
from crm_identity.organisation.model import Member
from crm_identity.organisation.queries import roles_of
from crm_identity.sessions.views import HeldRole, SelfView
from directory.scope import DataScope


@dataclass(frozen=True)
class Candidate:
    """A member who may log in, and what proves it is them."""

    member_id: UUID
    secret_hash: str
    must_change: bool


def candidate(session: Session, login: str, *, service_account: bool) -> Candidate | None:
    """The active member of that login."""
    row = session.execute(
        select(Member.id, Credential.secret_hash, Credential.must_change)
        .join(Credential, Credential.member_id == Member.id)
        .where(Member.login == login.lower(), Member.active, Member.service_account == service_account)
    ).one_or_none()
    return Candidate(row.id, row.secret_hash, row.must_change) if row else None


def self_view(session: Session, member: Member) -> SelfView:
    """The member with roles and all they grant together (H-16)."""
    roles = roles_of(session, member.role_ids)
    return SelfView(
        id=member.id,
        login=member.login,
        name=member.name,
        email=member.email,
        phone=member.phone,
        department_id=member.department_id,
        roles=[HeldRole.model_validate(role) for role in roles],
        permissions=sorted({code for role in roles for code in role.permissions}),
        data_scope=max((DataScope[role.data_scope.upper()] for role in roles), default=DataScope.OWN).name.lower(),
        language=member.language,
        absent_until=member.absent_until,
        version=member.version,
    )
