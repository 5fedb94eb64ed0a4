"""Versions of records: keeping what made each, and refusing a change that was decided on another one (design rule 4)."""

from collections.abc import Mapping
from typing import Any, Protocol
from uuid import UUID

from pydantic_core import to_jsonable_python
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, audit_of, record_audit
from chassis.errors import Stale


class _Versioned(Protocol):
    @property
    def version(self) -> int: ...


class _Record(_Versioned, Protocol):
    @property
    def id(self) -> UUID: ...


def record_act(
    session: Session,
    subject: str,
    act: str,
    record: _Record,
    actor_id: UUID | None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Keep in the audit what an act, which counted the version up, made of a record."""
    was = None if before is None else {"version": record.version - 1, **before}
    becomes = None if after is None else {"version": record.version, **after}
    record_audit(session, AuditEntry(f"{subject}.{act}", subject, record.id, actor_id, was, becomes))


def stale(
    record: _Versioned, wanted: Mapping[str, Any] | None = None, current: Mapping[str, Any] | None = None
) -> Stale:
    """The refusal, with both values of each field that is `wanted` otherwise than it is; `current`: what the record holds,
    where its attributes do not say it.
    """
    held = {name: getattr(record, name) for name in wanted or ()} if current is None else current
    conflicts = [
        {"field": name, "current": held.get(name), "yours": value}
        for name, value in (wanted or {}).items()
        if held.get(name) != value
    ]
    return Stale("stale_version", extra={"version": record.version, "conflicts": to_jsonable_python(conflicts)})


def stale_since(
    session: Session,
    subject: str,
    record: _Record,
    expected: int,
    wanted: Mapping[str, Any],
    current: Mapping[str, Any] | None = None,
) -> Stale:
    """The same of those fields alone that others changed since version `expected`: the audit of the `subject` knows them."""
    entries = (entry.after or {} for entry in audit_of(session, subject, record.id))
    changed = {name for after in entries if after.get("version", 0) > expected for name in after}
    return stale(record, {name: value for name, value in wanted.items() if name in changed}, current)
