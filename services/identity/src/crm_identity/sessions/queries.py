"""Who tries to log in, and who is logged in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chassis.http.api import PageQuery
from crm_identity.credentials.model import Credential, PasswordLink
from crm_identity.holdings.rules import widest
from crm_identity.organisation.model import Member
from crm_identity.organisation.queries import page_of, roles_of
from crm_identity.sessions.model import LoginSession
from crm_identity.sessions.views import HeldRole, SelfView, SessionView


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


def bearer(session: Session, token_hash: bytes, at: datetime) -> Member | None:
    """The active member whose password the link sets; None when it opens nothing."""
    opened = select(Member).join(PasswordLink, PasswordLink.member_id == Member.id)
    return session.scalar(
        opened.where(PasswordLink.token_hash == token_hash, PasswordLink.expires_at > at, Member.active)
    )


def live_sessions(
    session: Session, member_id: UUID, at: datetime, query: PageQuery
) -> tuple[Sequence[LoginSession], int]:
    """A page of the member's sessions that can still be refreshed, the last used first, and how many there are."""
    used = func.coalesce(LoginSession.last_used_at, LoginSession.created_at)
    alive = (
        select(LoginSession)
        .join(Member, Member.id == LoginSession.member_id)
        .where(
            Member.id == member_id,
            LoginSession.ended_at.is_(None),
            LoginSession.expires_at > at,
            LoginSession.generation == Member.session_generation,
        )
    )
    return page_of(session, alive.order_by(used.desc(), LoginSession.id), query.page, query.page_size)


def session_view(login: LoginSession, current: UUID) -> SessionView:
    """A session as its member sees it; `current` is the id of the one that asks."""
    return SessionView(
        id=login.id,
        current=login.id == current,
        user_agent=login.user_agent,
        network=login.network,
        began_at=login.created_at,
        last_used_at=login.last_used_at or login.created_at,
        expires_at=login.expires_at,
    )


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
        data_scope=widest(roles),
        language=member.language,
        absent_from=member.absent_from,
        absent_until=member.absent_until,
        version=member.version,
    )
