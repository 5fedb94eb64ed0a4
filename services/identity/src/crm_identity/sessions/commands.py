"""Sessions: begun, refreshed, ended. Who locks both takes the member's row first, then the session's."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.errors import NotFound, Unauthenticated
from chassis.identifiers import new_id
from crm_identity.credentials.commands import keep_secret, use_link
from crm_identity.credentials.model import Credential
from crm_identity.keys.queries import signing_key
from crm_identity.organisation.commands import record
from crm_identity.organisation.model import Member
from crm_identity.sessions import queries, rules
from crm_identity.sessions.model import LoginSession
from crm_identity.sessions.queries import Candidate
from crm_identity.sessions.views import LoginView


@dataclass(frozen=True)
class LoggedIn:
    """A session at its beginning or refreshed: the reply, and the cookie's content and end."""

    reply: LoginView
    refresh_token: str
    expires_at: datetime


def begin(
    session: Session, who: Candidate, kept_hash: str, device: rules.Device, *, sealing_key: bytes, at: datetime
) -> LoggedIn:
    """Begin a session for someone whose secret was verified; `kept_hash` is the hash to keep from now on.

    Raises Unauthenticated when the member left or the secret changed while it was being verified.
    """
    member = _verified(session, who)
    if kept_hash != who.secret_hash:
        keep_secret(session, member.id, kept_hash, at, must_change=False)
    return _begin(session, member, device, sealing_key=sealing_key, at=at)


def change_password(
    session: Session, who: Candidate, new_hash: str, device: rules.Device, *, sealing_key: bytes, at: datetime
) -> LoggedIn:
    """Change a password that was verified: every session until now ends, a new one begins. Raises Unauthenticated."""
    member = _verified(session, who)
    _set_password(session, member, "password_changed", new_hash, at)
    return _begin(session, member, device, sealing_key=sealing_key, at=at)


def redeem_link(
    session: Session,
    member_id: UUID,
    token_hash: bytes,
    new_hash: str,
    device: rules.Device,
    *,
    sealing_key: bytes,
    at: datetime,
) -> LoggedIn:
    """Use a link up to set the password: every session until now ends, a new one begins.

    Raises Unauthenticated when the link opens nothing any more.
    """
    member = session.get_one(Member, member_id, with_for_update=True)
    if not (use_link(session, token_hash, at) and member.active):
        raise Unauthenticated("password_link_invalid")
    _set_password(session, member, "password_set", new_hash, at)
    return _begin(session, member, device, sealing_key=sealing_key, at=at)


def service_token(session: Session, who: Candidate, sealing_key: bytes, at: datetime) -> str:
    """An access token for a service account whose secret was verified. Raises Unauthenticated."""
    member = _verified(session, who)
    member.last_login_at = at
    return rules.access_token(signing_key(session, sealing_key), member.id, new_id(), member.epoch, at)


def refresh(
    session: Session, token: rules.RefreshToken, device: rules.Device, *, sealing_key: bytes, at: datetime
) -> LoggedIn | None:
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
    return _logged_in(session, member, login, login.rotate(device, at), sealing_key=sealing_key, at=at)


def end(session: Session, member_id: UUID, session_id: UUID, at: datetime) -> None:
    """Log out: the session ends, and with it every access token of the member (design §2.5)."""
    member = session.get_one(Member, member_id, with_for_update=True)
    login = session.get(LoginSession, session_id, with_for_update=True)
    _end(session, login if login and login.member_id == member_id else None, member, "logged_out", at)


def end_own(session: Session, member_id: UUID, session_id: UUID, at: datetime) -> None:
    """End one of one's own sessions, perhaps on a lost device; every access token is revoked. Raises NotFound."""
    member = session.get_one(Member, member_id, with_for_update=True)
    login = session.get(LoginSession, session_id, with_for_update=True)
    if login is None or login.member_id != member_id or not login.is_alive(member.session_generation, at):
        raise NotFound("not_found")
    _end(session, login, member, "session_ended", at)


def end_all(session: Session, member_id: UUID) -> None:
    """End all of one's own sessions, this one too, and revoke every access token."""
    member = session.get_one(Member, member_id, with_for_update=True)
    member.end_sessions()
    record(session, "logged_out_everywhere", member_id, member)


def _verified(session: Session, who: Candidate) -> Member:
    member = session.get_one(Member, who.member_id, with_for_update=True)
    credential = session.get(Credential, who.member_id)
    if not member.active or credential is None or credential.secret_hash != who.secret_hash:
        raise Unauthenticated("login_failed")
    return member


def _set_password(session: Session, member: Member, act: str, new_hash: str, at: datetime) -> None:
    member.end_sessions()
    record(session, act, member.id, member)
    keep_secret(session, member.id, new_hash, at, must_change=False)


def _begin(session: Session, member: Member, device: rules.Device, *, sealing_key: bytes, at: datetime) -> LoggedIn:
    token = rules.new_token()
    login = LoginSession(
        id=new_id(),
        member_id=member.id,
        selector=token.selector,
        secret_hash=token.secret_hash,
        generation=member.session_generation,
        user_agent=device.user_agent,
        network=device.network,
        created_at=at,
        last_used_at=at,
        expires_at=rules.expiry(at, at),
    )
    session.add(login)
    member.last_login_at = at
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
