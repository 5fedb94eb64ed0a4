"""Making, rotating and dropping signing keys."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.database import lock
from chassis.events.outbox import record_event
from chassis.identifiers import new_id
from crm.identity.v1 import identity_events_pb2 as pb
from crm_identity.keys import queries, rules
from crm_identity.keys.model import KeySetVersion, SigningKey


def ensure_first_key(session: Session, sealing_key: bytes, at: datetime) -> None:
    """Make the first key when there is none; it signs at once."""
    lock(session, "signing-keys")
    if _in_state(session, "current") is None:
        _add(session, sealing_key, at, "current")


def rotate(session: Session, sealing_key: bytes, at: datetime) -> SigningKey:
    """Publish a new key that takes over signing after a minute, at once when there is no other.

    While one waits already, that one is returned and nothing changes.
    """
    lock(session, "signing-keys")
    if waiting := _in_state(session, "next"):
        return waiting
    return _add(session, sealing_key, at, "next" if _in_state(session, "current") else "current")


def advance(session: Session, at: datetime) -> None:
    """What time does to keys: the next one takes over, one that retired a day ago is forgotten."""
    lock(session, "signing-keys")
    waiting, current = _in_state(session, "next"), _in_state(session, "current")
    if waiting and waiting.signs_from <= at:
        if current:
            current.retire(at)
            session.flush()
        waiting.sign_now()
        _audit(session, "signing_key.took_over", waiting.id)
    old = session.scalars(select(SigningKey).where(SigningKey.retired_at <= at - rules.OVERLAP)).all()
    for key in old:
        session.delete(key)
        _audit(session, "signing_key.forgotten", key.id)
    if old:
        _publish(session)


def _add(session: Session, sealing_key: bytes, at: datetime, state: str) -> SigningKey:
    pair = rules.new_key(new_id())
    key = SigningKey(
        id=UUID(pair.kid),
        state=state,
        sealed_private_key=rules.seal(pair, sealing_key),
        public_jwk=pair.as_dict(private=False),
        created_at=at,
        signs_from=at if state == "current" else at + rules.ANNOUNCED,
    )
    session.add(key)
    _audit(session, "signing_key.published", key.id)
    _publish(session)
    return key


def _in_state(session: Session, state: str) -> SigningKey | None:
    return session.scalar(select(SigningKey).where(SigningKey.state == state))


def _audit(session: Session, action: str, key_id: UUID) -> None:
    record_audit(session, AuditEntry(action, "signing_key", key_id, None))


def _publish(session: Session) -> None:
    published = session.get(KeySetVersion, 1)
    if published is None:
        published = KeySetVersion(id=1, version=0)
        session.add(published)
    published.version += 1
    session.flush()
    record_event(session, pb.SigningKeysChanged(signing_keys=queries.key_set_state(session)))
