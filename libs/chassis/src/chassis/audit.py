"""Who changed what, when, from what to what: written in the command's own transaction (Q-07)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import column, func, insert, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from chassis.database.tables import audit_entries
from chassis.tracing import current_trace_id

_COLUMNS = ("actor_id", "action", "subject_type", "subject_id", "before", "after")


@dataclass(frozen=True)
class AuditEntry:
    """One change of one record; `before` and `after` hold the changed fields only."""

    action: str
    subject_type: str
    subject_id: UUID
    actor_id: UUID | None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class RecordedAuditEntry(AuditEntry):
    """An entry as read back; `at` is UTC."""

    at: datetime | None = None


def record_audit(session: Session, *entries: AuditEntry) -> None:
    """Add entries to the audit, all in one statement. Values must be JSON-serialisable."""
    if not entries:
        return
    trace_id = current_trace_id()
    columns = {name: [getattr(entry, name) for entry in entries] for name in _COLUMNS}
    columns["trace_id"] = [trace_id] * len(entries)
    types = {name: audit_entries.c[name].type for name in columns}
    # One array per column: the same statement for 1 entry and for 1,000.
    given = (
        func.unnest(*(literal(values, ARRAY(types[name])) for name, values in columns.items()))
        .table_valued(*(column(name, types[name]) for name in columns), name="given")
        .render_derived()
    )
    session.execute(insert(audit_entries).from_select([*columns], select(given)))


def audit_of(session: Session, subject_type: str, subject_id: UUID, limit: int = 100) -> Sequence[RecordedAuditEntry]:
    """The newest entries of one record, newest first."""
    table = audit_entries.c
    rows = session.execute(
        select(audit_entries)
        .where(table.subject_type == subject_type, table.subject_id == subject_id)
        .order_by(table.id.desc())
        .limit(limit)
    )
    return [
        RecordedAuditEntry(row.action, row.subject_type, row.subject_id, row.actor_id, row.before, row.after, row.at)
        for row in rows
    ]
