"""What can be done to message templates. Each function runs in the transaction its edge has opened."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.database import lock
from chassis.errors import Conflict, FieldError, Stale
from chassis.identifiers import new_id
from crm_notify.deliveries.rules import Channel
from crm_notify.message_templates.model import MessageTemplate
from crm_notify.message_templates.queries import template
from crm_notify.message_templates.rules import written

_SUBJECT = "message_template"


def keep(
    session: Session, actor_id: UUID, channel: Channel, name: str, subject: str, body: str, now: datetime
) -> MessageTemplate:
    """Keep a new template. Raises Invalid, Conflict."""
    _require_free(session, name, None)
    wording = written(channel, subject, body)
    kept = MessageTemplate(
        id=new_id(),
        version=1,
        channel=channel,
        name=name,
        subject=wording.subject,
        body=wording.html or wording.text,
        created_by=actor_id,
        created_at=now,
        updated_at=now,
    )
    session.add(kept)
    session.flush()
    _audit(session, "message_template.created", actor_id, kept, None, kept.state())
    return kept


def change(
    session: Session, actor_id: UUID, template_id: UUID, expected: int, changes: Mapping[str, str], now: datetime
) -> MessageTemplate:
    """Change what is named. Raises NotFound, Stale, Invalid, Conflict."""
    kept = template(session, template_id, locked=True)
    _require_version(kept, expected, changes)
    before = kept.state()
    wished = {**before, **changes}
    _require_free(session, wished["name"], kept.id)
    wording = written(Channel(kept.channel), wished["subject"], wished["body"])
    kept.name, kept.subject, kept.body = wished["name"], wording.subject, wording.html or wording.text
    after = kept.state()
    changed = [name for name in after if after[name] != before[name]]
    if changed:
        kept.version += 1
        kept.updated_at = now
        sides = ({name: side[name] for name in changed} for side in (before, after))
        _audit(session, "message_template.changed", actor_id, kept, *sides)
    return kept


def delete(session: Session, actor_id: UUID, template_id: UUID, expected: int, now: datetime) -> None:
    """Take a template away; mailings that were written with it keep their text. Raises NotFound, Stale."""
    kept = template(session, template_id, locked=True)
    _require_version(kept, expected, {})
    kept.deleted_at = kept.updated_at = now
    kept.version += 1
    _audit(session, "message_template.deleted", actor_id, kept, {"name": kept.name}, None)


def restore(session: Session, actor_id: UUID, template_id: UUID, now: datetime) -> MessageTemplate:
    """Bring a deleted template back. Raises NotFound, Conflict when another has its name by now."""
    kept = template(session, template_id, deleted=True, locked=True)
    _require_free(session, kept.name, kept.id)
    kept.deleted_at, kept.updated_at = None, now
    kept.version += 1
    _audit(session, "message_template.restored", actor_id, kept, None, {"name": kept.name})
    return kept


def _require_free(session: Session, name: str, own_id: UUID | None) -> None:
    lock(session, f"message template {name}")
    same = (MessageTemplate.name == name, MessageTemplate.deleted_at.is_(None), MessageTemplate.id != own_id)
    if session.scalar(select(MessageTemplate.id).where(*(same if own_id else same[:2]))) is not None:
        code = "template_name_taken"
        raise Conflict(code, errors=[FieldError("/name", code, {"value": name})], value=name)


def _require_version(kept: MessageTemplate, expected: int, changes: Mapping[str, Any]) -> None:
    if kept.version != expected:
        held = kept.state()
        conflicts = [
            {"field": name, "current": held[name], "yours": value}
            for name, value in changes.items()
            if held[name] != value
        ]
        raise Stale("stale_version", extra={"version": kept.version, "conflicts": conflicts})


def _audit(session: Session, action: str, actor_id: UUID, kept: MessageTemplate, before: Any, after: Any) -> None:
    record_audit(session, AuditEntry(action, _SUBJECT, kept.id, actor_id, before, after))
