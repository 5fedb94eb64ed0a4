"""Putting cells right on the page. The file itself never changes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.auth.actors import Actor
from chassis.errors import Conflict, FieldError, invalid
from crm_import.jobs import commands as jobs
from crm_import.jobs.model import ImportJob
from crm_import.jobs.queries import own_job
from crm_import.jobs.rules import Status

# Rows and their results know of corrections, so corrections know of rows only what they hold.
_HELD = (
    "SELECT r.row_number, r.cells->>CAST(:place AS int) AS written, coalesce(c.cells->>CAST(:column AS text), r.cells->>CAST(:place AS int)) AS held"
    " FROM {rows} r LEFT JOIN row_corrections c ON (c.job_id, c.row_number) = (r.job_id, r.row_number)"
    " WHERE r.job_id = :job_id AND r.cells IS NOT NULL {and_}"
)
_FAILED_OR_SKIPPED = "AND r.outcome IN ('failed', 'skipped')"
_BY_NUMBER = " AND r.row_number = ANY(:numbers)"
# As problems show a text: without the blanks around it.
_BY_TEXT = " AND btrim(coalesce(c.cells->>CAST(:column AS text), r.cells->>CAST(:place AS int)), :blanks) = :held"
_BLANKS = " \t\r\n\u00a0\u3000"
_CORRECT = text(
    "INSERT INTO row_corrections (job_id, row_number, cells, corrected_at)"
    " SELECT :job_id, number, jsonb_build_object(CAST(:column AS text), CAST(:to AS text)), :now"
    " FROM unnest(CAST(:numbers AS int[])) AS number ON CONFLICT (job_id, row_number)"
    " DO UPDATE SET cells = row_corrections.cells || excluded.cells, corrected_at = excluded.corrected_at"
)
_TAKE_BACK = text(
    "UPDATE row_corrections SET cells = cells - CAST(:column AS text), corrected_at = :now"
    " WHERE job_id = :job_id AND row_number = ANY(:numbers)"
)
_FORGET_EMPTY = text("DELETE FROM row_corrections WHERE job_id = :job_id AND cells = '{}'")
_FORGET = text(
    "DELETE FROM row_corrections WHERE (job_id, row_number) IN"
    " (SELECT job_id, row_number FROM row_corrections WHERE job_id = :job_id LIMIT :most) RETURNING 1"
)


@dataclass(frozen=True)
class Corrected:
    """The field of the column that was corrected, and what the cells held before, with how many rows."""

    field: str
    former: Counter[str]


def correct(
    session: Session,
    actor: Actor,
    job_id: UUID,
    *,
    column: int,
    to: str,
    rows: Sequence[int] | None,
    held: str | None,
    now: datetime,
) -> Corrected:
    """Let cells of a column hold `to`: those of `rows`, or all that hold `held`; of rows that failed or were skipped, or,
    before the start, of rehearsed rows. Correcting to what the file says takes a correction back.

    Raises NotFound, Conflict, Invalid.
    """
    job = own_job(session, actor, job_id, is_locked=True)
    field = next((name for name, index in job.mapped.items() if index == column), None)
    if field is None:
        raise invalid(FieldError("/column", "column_not_mapped", {"column": column + 1}))
    found = _found(session, job, column, rows, held)
    if rows is not None:
        _require_found(rows, {row.row_number for row in found})
    given = {"job_id": job.id, "column": str(column), "to": to, "now": now}
    session.execute(_CORRECT, {**given, "numbers": [row.row_number for row in found if row.written != to]})
    session.execute(_TAKE_BACK, {**given, "numbers": [row.row_number for row in found if row.written == to]})
    session.execute(_FORGET_EMPTY, {"job_id": job.id})
    if found:
        job.correct(now)
        after = {"field": field, "rows": len(found)}
        record_audit(session, AuditEntry("import.correct", jobs.SUBJECT, job.id, actor.id, after=after))
    return Corrected(field, Counter(row.held for row in found))


def forget_corrections(session: Session, job_id: UUID, most: int) -> int:
    """Delete up to `most` corrections of a job; returns how many."""
    return len(session.execute(_FORGET, {"job_id": job_id, "most": most}).all())


def _found(
    session: Session, job: ImportJob, column: int, rows: Sequence[int] | None, held: str | None
) -> Sequence[Any]:
    """(row_number, written, held) of the rows meant, as the file has the cell and as it stands."""
    if job.status == Status.REHEARSED:
        table, and_ = "row_plans", ""
    elif job.may_be_retried:
        table, and_ = "row_results", _FAILED_OR_SKIPPED
    else:
        raise Conflict("nothing_to_correct")
    statement = _HELD.format(rows=table, and_=and_ + (_BY_NUMBER if rows is not None else _BY_TEXT))
    given = {"job_id": job.id, "column": str(column), "place": column - job.first_column}
    return session.execute(
        text(statement), {**given, "numbers": list(rows or ()), "held": held, "blanks": _BLANKS}
    ).all()


def _require_found(rows: Sequence[int], found: set[int]) -> None:
    errors = [FieldError(f"/rows/{at}", "row_not_correctable") for at, row in enumerate(rows) if row not in found]
    if errors:
        raise invalid(*errors)
