"""Keeping credentials, and the links that let a member make one."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from crm_identity.credentials import rules
from crm_identity.credentials.model import Credential, PasswordLink


def keep_secret(session: Session, member_id: UUID, secret_hash: str, at: datetime, *, must_change: bool) -> None:
    """Let this secret, and no earlier one and no link, be the member's."""
    credential = session.get(Credential, member_id)
    if credential is None:
        credential = Credential(member_id=member_id)
        session.add(credential)
    credential.secret_hash, credential.must_change, credential.changed_at = secret_hash, must_change, at
    void_link(session, member_id)


def make_link(session: Session, actor_id: UUID | None, member_id: UUID, at: datetime) -> rules.NewLink:
    """Make the link with which a member sets a password; it voids an earlier one. The member's row is locked before."""
    link = rules.new_link(at)
    token_hash = rules.link_hash(link.token)
    session.merge(PasswordLink(member_id=member_id, token_hash=token_hash, expires_at=link.expires_at))
    record_audit(session, AuditEntry("member.password_link_made", "member", member_id, actor_id))
    return link


def use_link(session: Session, token_hash: bytes, at: datetime) -> bool:
    """Use a link up; False when it is used, voided, expired, or none of ours."""
    used = delete(PasswordLink).where(PasswordLink.token_hash == token_hash, PasswordLink.expires_at > at)
    return session.scalar(used.returning(PasswordLink.member_id)) is not None


def void_link(session: Session, member_id: UUID) -> None:
    """Let no link set the member's password any more."""
    session.execute(delete(PasswordLink).where(PasswordLink.member_id == member_id))


def drop_password(session: Session, member_id: UUID) -> None:
    """Let nothing prove the member any more until a new secret is kept."""
    session.execute(delete(Credential).where(Credential.member_id == member_id))
    void_link(session, member_id)
