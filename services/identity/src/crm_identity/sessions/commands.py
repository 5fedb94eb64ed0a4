"""Sessions: begun, refreshed, ended. Who locks both takes the member's row first, then the session's."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.errors import Unauthenticated
from chassis.identifiers import new_id
from crm_identity.credentials.commands import keep_secret
from crm_identity.credentials.model import Credential
from crm_identity.keys.queries import signing_key
from crm_identity.organisation.commands import record
from crm_identity.organisation.model import Member
from crm_identity.sessions import queries, rules
from crm_identity.sessions.model import LoginSession
from crm_identity.sessions.queries import Candidate
from crm_identity.sessions.views import LoginView

_USER_AGENT_CHARACTERS = 120


@dataclass(frozen=True)
class LoggedIn:
    """A session at its beginning or refreshed: the reply, and the cookie's content and end."""

    reply: LoginView
    refresh_token: str
    expires_at: datetime


def begin(
    session: Session, who: Candidate, kept_hash: str, user_agent: str, *, sealing_key: bytes, at: datetime
) -> LoggedIn:
    """Begin a session for someone whose secret was verified; `kept_hash` is the hash to keep from now on.

    Raises Unauthenticated when the member left or the secret changed while it was being verified.
    """
    member = _verified(session, who)
    if kept_hash != who.secret_hash:
        keep_secret(session, member.id, kept_hash, at, must_change=False)
    return _begin(session, member, user_agent, sealing_key=sealing_key, at=at)


def change_password(
    session: Session, who: Candidate, new_hash: str, user_agent: str, *, sealing_key: bytes, at: datetime
) -> LoggedIn:
    """Change a password that was verified: every session until now ends, a new one begins. Raises Unauthenticated."""
    member = _verified(session, who)
    member.end_sessions()
    record(session, "password_changed", member.id, member)
    keep_secret(session, member.id, new_hash, at, must_change=False)
    return _begin(session, member, user_agent, sealing_key=sealing_key, at=at)


def service_token(session: Session, who: Candidate, sealing_key: bytes, at: datetime) -> str:
    """An access token for a service account whose secret was verified. Raises Unauthenticated."""
    member = _verified(session, who)
    return rules.access_token(signing_key(session, sealing_key), member.id, new_id(), member.epoch, at)


def refresh(session: Session, token: rules.RefreshToken, *, sealing_key: bytes, at: datetime) -> LoggedIn | None:
    """Rotate the session's token; None when it is over.

    A token used before means that two hold it, and one of them is a thief: the session ends, and with it every
    access token of the member.
    """
    row = select(LoginSession).where(LoginSession.selector == token.selector)
    known = session.scalar(row)
    if known is None:
        return None
    member = session.get_one(Member, known.member_id, with_for_update=True)
    login = session.scalars(row.with_for_update().execution_options(populate_existing=True)).one()
    if not (member.active and login.is_alive(member.session_generation, at)):
        return None
    if not token.opens(login.secret_hash):
        _end(session, login, member, "reused_token_refused", at)
        return None
    return _logged_in(session, member, login, login.rotate(at), sealing_key=sealing_key, at=at)


def end(session: Session, member_id: UUID, session_id: UUID, at: datetime) -> None:
    """Log out: the session ends, and with it every access token of the member (design §2.5)."""
    member = session.get_one(Member, member_id, with_for_update=True)
    login = session.get(LoginSession, session_id, with_for_update=True)
    _end(session, login if login and login.member_id == member_id else None, member, "logged_out", at)


def _verified(session: Session, who: Candidate) -> Member:
    member = session.get_one(Member, who.member_id, with_for_update=True)
    credential = session.get_one(Credential, who.member_id)
    if not member.active or credential.secret_hash != who.secret_hash:
        raise Unauthenticated("login_failed")
    return member


def _begin(session: Session, member: Member, user_agent: str, *, sealing_key: bytes, at: datetime) -> LoggedIn:
    token = rules.new_token()
    login = LoginSession(
        id=new_id(),
        member_id=member.id,
        selector=token.selector,
        secret_hash=token.secret_hash,
        generation=member.session_generation,
        user_agent=user_agent[:_USER_AGENT_CHARACTERS],
        created_at=at,
        expires_at=rules.expiry(at, at),
    )
    session.add(login)
    record_audit(session, AuditEntry("member.logged_in", member.kind, member.id, member.id))
    return _logged_in(session, member, login, token, sealing_key=sealing_key, at=at)


def _logged_in(
    session: Session,
    member: Member,
    login: LoginSession,
    token: rules.RefreshToken,
    *,
    sealing_key: bytes,
    at: datetime,
) -> LoggedIn:
    access = rules.access_token(signing_key(session, sealing_key), member.id, login.id, member.epoch, at)
    reply = LoginView(access_token=access, member=queries.self_view(session, member))
    return LoggedIn(reply, token.text, login.expires_at)


def _end(session: Session, login: LoginSession | None, member: Member, act: str, at: datetime) -> None:
    if login is not None:
        login.end(at)
    member.revoke_tokens()
    record(session, act, member.id, member)
