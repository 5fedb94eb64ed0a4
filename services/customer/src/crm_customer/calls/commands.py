"""Keeping calls, and the secret by which they are reported. Each function runs in the transaction its edge has opened."""

import hmac
import secrets
from datetime import datetime
from uuid import UUID

from prometheus_client import Counter
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.database import lock
from chassis.errors import Conflict, NotFound, Unauthenticated
from chassis.identifiers import new_id
from chassis.tickets import hash_of
from crm_customer.calls.model import Caller, IncomingCall, SwitchboardSecret
from crm_customer.calls.queries import bearers, caller_of, is_known
from crm_customer.calls.rules import Call, spellings

_SUBJECT, _ID = "switchboard", UUID(int=1)
_AT_ONCE = 1000
_reported = Counter(
    "crm_calls_reported_total",
    "Calls that the telephone system reported: kept, repeated, refused for a wrong secret (serve; sum)",
    ["outcome"],
)
for _outcome in ("kept", "repeated", "refused"):
    _reported.labels(_outcome)  # 0 from the start


def make_secret(session: Session, member_id: UUID, now: datetime) -> str:
    """A new secret, 256 random bits that are not kept; with the one before nothing is reported any more."""
    secret = secrets.token_urlsafe(32)
    values = {"secret_hash": hash_of(secret), "created_by": member_id, "created_at": now}
    made = insert(SwitchboardSecret).values(id=1, **values)
    session.execute(made.on_conflict_do_update(index_elements=[SwitchboardSecret.id], set_=values))
    record_audit(session, AuditEntry("switchboard.secret_made", _SUBJECT, _ID, member_id))
    return secret


def revoke_secret(session: Session, member_id: UUID) -> None:
    """Nothing is reported any more. Raises NotFound without a secret."""
    if session.scalar(delete(SwitchboardSecret).returning(SwitchboardSecret.id)) is None:
        raise NotFound("not_found")
    record_audit(session, AuditEntry("switchboard.secret_revoked", _SUBJECT, _ID, member_id))


def require_secret(session: Session, secret: str) -> None:
    """Raise Unauthenticated switchboard_secret_wrong for any other than the one that was made last."""
    kept = session.scalar(select(SwitchboardSecret.secret_hash))
    if kept is None or not hmac.compare_digest(kept, hash_of(secret)):
        _reported.labels("refused").inc()
        raise Unauthenticated("switchboard_secret_wrong")


def keep_call(session: Session, call: Call, now: datetime) -> IncomingCall:
    """Keep a call with its caller; one that is kept already is answered as it was.

    Raises Conflict call_id_reused when another call bears the id.
    """
    lock(session, f"call {call.call_id}")
    kept = session.scalar(select(IncomingCall).where(IncomingCall.call_id == call.call_id))
    if kept is not None:
        if _as_reported(session, kept) != call:
            raise Conflict("call_id_reused")
        _reported.labels("repeated").inc()
        return kept
    values = {name: value for name, value in vars(call).items() if name != "number"}
    made = IncomingCall(id=new_id(), caller_id=_keep_caller(session, call), reported_at=now, **values)
    session.add(made)
    session.flush()
    _reported.labels("kept").inc()
    return made


def require_nobodys(session: Session, caller_id: UUID) -> None:
    """Lock a caller of whom a customer is to be made. Raises NotFound, Conflict number_withheld or caller_known."""
    caller = caller_of(session, caller_id, lock=True)
    if not caller.number:
        raise Conflict("number_withheld")
    if bearers(session, caller):
        raise Conflict("caller_known")


def forget_unknown_calls(session: Session, before: datetime) -> bool:
    """Delete calls of before `before` whose number no customer bears, and callers without any. True: more is left."""
    old = (
        select(IncomingCall.id)
        .join(Caller)
        .where(IncomingCall.called_at < before, ~is_known())
        .order_by(IncomingCall.called_at)
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True, of=IncomingCall)
    )
    gone = delete(IncomingCall).where(IncomingCall.id.in_(old.scalar_subquery())).returning(IncomingCall.caller_id)
    found = session.scalars(gone.execution_options(synchronize_session=False)).all()
    # Locked first, so that the next statement sees what was reported meanwhile.
    session.execute(select(Caller.id).where(Caller.id.in_(set(found))).order_by(Caller.id).with_for_update())
    left = select(IncomingCall.id).where(IncomingCall.caller_id == Caller.id).exists()
    idle = delete(Caller).where(Caller.id.in_(set(found)), ~left)
    session.execute(idle.execution_options(synchronize_session=False))
    return len(found) == _AT_ONCE


def _keep_caller(session: Session, call: Call) -> UUID:
    """The caller's row, new or with its last call moved on."""
    made = insert(Caller).values(
        id=new_id(), number=call.number, spellings=spellings(call.number), last_called_at=call.called_at
    )
    latest = func.greatest(Caller.last_called_at, made.excluded.last_called_at)
    kept = made.on_conflict_do_update(index_elements=[Caller.number], set_={"last_called_at": latest})
    return session.scalars(kept.returning(Caller.id)).one()


def _as_reported(session: Session, kept: IncomingCall) -> Call:
    caller = session.get_one(Caller, kept.caller_id)
    return Call(
        call_id=kept.call_id,
        number=caller.number,
        hotline=kept.hotline,
        called_at=kept.called_at,
        answered=kept.answered,
        seconds=kept.seconds,
        extension=kept.extension,
    )
