"""Changing what one is told of, and what holds for everybody. Every change is audited."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pydantic_core import to_jsonable_python
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.errors import Stale
from crm_notify.preferences.model import PreferenceDefaults, Preferences
from crm_notify.preferences.queries import defaults_of
from crm_notify.preferences.rules import DIGEST_AT, appointed, chosen

_DEFAULTS_ID = 1


def choose(session: Session, member_id: UUID, expected: int, values: Mapping[str, Any]) -> Preferences:
    """Replace a member's choices by `values`; {}: as the defaults say. Raises Stale, Invalid preference_locked and others."""
    wanted: dict[str, Any] = {"matrix": {}, "quiet_from": None, "quiet_until": None, "digest_at": None, **values}
    empty = insert(Preferences).values(member_id=member_id, version=0, matrix={})
    session.execute(empty.on_conflict_do_nothing())
    row = session.scalars(select(Preferences).where(Preferences.member_id == member_id).with_for_update()).one()
    _require_version(row, expected, wanted)
    wanted["matrix"] = chosen(wanted["matrix"], defaults_of(session))
    _take_over(session, row, wanted, AuditEntry("preferences.changed", "preferences", member_id, member_id))
    return row


def appoint(session: Session, actor_id: UUID, expected: int, values: Mapping[str, Any]) -> PreferenceDefaults:
    """Replace what holds for whoever chose nothing else; {}: as Highsea has it. Raises Stale, Invalid."""
    wanted: dict[str, Any] = {"matrix": {}, "locked": {}, "quiet_from": None, "quiet_until": None, **values}
    wanted["digest_at"] = wanted.get("digest_at") or DIGEST_AT
    empty = insert(PreferenceDefaults).values(id=_DEFAULTS_ID, version=0, matrix={}, locked={}, digest_at=DIGEST_AT)
    session.execute(empty.on_conflict_do_nothing())
    row = session.scalars(select(PreferenceDefaults).with_for_update()).one()
    _require_version(row, expected, wanted)
    wanted["matrix"], wanted["locked"] = appointed(wanted["matrix"], wanted["locked"])
    subject_id = UUID(int=_DEFAULTS_ID)
    _take_over(
        session, row, wanted, AuditEntry("preference_defaults.changed", "preference_defaults", subject_id, actor_id)
    )
    return row


def _require_version(row: Preferences | PreferenceDefaults, expected: int, wanted: Mapping[str, Any]) -> None:
    if row.version != expected:
        conflicts = [
            {"field": name, "current": getattr(row, name), "yours": value}
            for name, value in wanted.items()
            if getattr(row, name) != value
        ]
        raise Stale("stale_version", extra={"version": row.version, "conflicts": to_jsonable_python(conflicts)})


def _take_over(
    session: Session, row: Preferences | PreferenceDefaults, wanted: Mapping[str, Any], entry: AuditEntry
) -> None:
    before = {name: getattr(row, name) for name, value in wanted.items() if getattr(row, name) != value}
    if before:
        for name in before:
            setattr(row, name, wanted[name])
        row.version += 1
        session.flush()
        after = {name: wanted[name] for name in before}
        record_audit(session, AuditEntry(**(vars(entry) | {"before": before, "after": after})))
