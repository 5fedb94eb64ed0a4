"""Adding, changing and retiring reasons. Every change is audited."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.errors import NotFound
from chassis.identifiers import new_id
from crm_pool.database import Changes, require_version, take_over
from crm_pool.reasons import queries
from crm_pool.reasons.model import ReleaseReason


def add_reason(
    session: Session, actor_id: UUID, *, label_zh: str, label_en: str, position: int | None
) -> ReleaseReason:
    """One more reason, the last unless its position says otherwise."""
    if position is None:
        position = queries.last_position(session) + 1
    values = {"label_zh": label_zh, "label_en": label_en, "position": position, "active": True}
    made = ReleaseReason(id=new_id(), version=1, **values)
    session.add(made)
    session.flush()
    _audit(session, "release_reason.created", actor_id, made, ({}, values))
    return made


def change_reason(
    session: Session, actor_id: UUID, reason_id: UUID, expected: int, values: Mapping[str, Any]
) -> ReleaseReason:
    """Change what `values` name. Raises NotFound, Stale."""
    found = session.scalar(select(ReleaseReason).where(ReleaseReason.id == reason_id).with_for_update())
    if found is None:
        raise NotFound("not_found")
    require_version(found, expected, values)
    changed = take_over(found, values)
    if changed:
        found.version += 1
        session.flush()
        _audit(session, "release_reason.changed", actor_id, found, changed)
    return found


def retire_reason(session: Session, actor_id: UUID, reason_id: UUID, expected: int) -> None:
    """Offer it no more; it still names what it was used for. Raises NotFound, Stale."""
    change_reason(session, actor_id, reason_id, expected, {"active": False})


def _audit(session: Session, action: str, actor_id: UUID, reason: ReleaseReason, changed: Changes) -> None:
    before, after = changed
    record_audit(session, AuditEntry(action, "release_reason", reason.id, actor_id, before or None, after))
