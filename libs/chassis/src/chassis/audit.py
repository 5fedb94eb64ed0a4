"""Who changed what, when, from what to what: written in the command's own transaction (Q-07)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic_core import to_jsonable_python
from sqlalchemy import ColumnElement, Select, select, tuple_
from sqlalchemy.orm import Session

from chassis.database.rows import insert_rows
from chassis.database.tables import audit_entries
from chassis.tracing import current_trace_id


@dataclass(frozen=True)
class AuditEntry:
    """One change of one record; `before` and `after` hold the changed fields only."""

    action: str
    subject_type: str
    subject_id: UUID
    actor_id: UUID | None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class RecordedAuditEntry(AuditEntry):
    """An entry as read back; `at` is UTC. `id` grows within the entries of one moment."""

    id: int
    at: datetime
    trace_id: str


@dataclass(frozen=True)
class AuditFilter:
    """Which entries: `action` is how it begins; `since` inclusive, `until` exclusive; what is None asks nothing."""

    actor_id: UUID | None = None
    action: str = ""
    subject_type: str = ""
    subject_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


def record_audit(session: Session, *entries: AuditEntry) -> None:
    """Add entries to the audit, all in one statement; values are written as JSON has them (moments in UTC, ids as text)."""
    trace_id = current_trace_id()
    rows = [vars(entry) | _sides(entry) | {"trace_id": trace_id} for entry in entries]
    insert_rows(session, audit_entries, rows)


def _sides(entry: AuditEntry) -> dict[str, Any]:
    sides: dict[str, Any] = to_jsonable_python({"before": entry.before, "after": entry.after})
    return sides


def audit_of(session: Session, subject_type: str, subject_id: UUID, limit: int = 100) -> Sequence[RecordedAuditEntry]:
    """The newest entries of one record, newest first."""
    table = audit_entries.c
    of_record = (table.subject_type == subject_type, table.subject_id == subject_id)
    return _recorded(session, select(audit_entries).where(*of_record).order_by(table.id.desc()).limit(limit))


def find_audit(
    session: Session, wanted: AuditFilter, before: tuple[datetime, int] | None, limit: int
) -> Sequence[RecordedAuditEntry]:
    """Entries, newest first; `before` is the (`at`, `id`) of the entry after which to go on (Q-07)."""
    table = audit_entries.c
    query = select(audit_entries).where(*_conditions(wanted)).order_by(table.at.desc(), table.id.desc()).limit(limit)
    if before is not None:
        query = query.where(tuple_(table.at, table.id) < before)
    return _recorded(session, query)


def _conditions(wanted: AuditFilter) -> Iterator[ColumnElement[bool]]:
    table = audit_entries.c
    for column_, value in (
        (table.actor_id, wanted.actor_id),
        (table.subject_type, wanted.subject_type or None),
        (table.subject_id, wanted.subject_id),
    ):
        if value is not None:
            yield column_ == value
    if wanted.action:
        yield table.action.startswith(wanted.action, autoescape=True)
    if wanted.since is not None:
        yield table.at >= wanted.since
    if wanted.until is not None:
        yield table.at < wanted.until


def _recorded(session: Session, query: Select[Any]) -> list[RecordedAuditEntry]:
    return [RecordedAuditEntry(**row) for row in session.execute(query).mappings()]
