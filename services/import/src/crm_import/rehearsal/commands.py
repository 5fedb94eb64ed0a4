"""What is done about a rehearsal: asking for one, keeping its plans, deciding about rows that match a record."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Integer, any_, delete, literal, or_, select, text, update
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.auth.actors import Actor
from chassis.errors import Conflict, FieldError, invalid
from crm_import.jobs import commands as jobs
from crm_import.jobs.model import ImportJob
from crm_import.jobs.queries import own_job
from crm_import.jobs.rules import Mode, Status
from crm_import.rehearsal.model import RowPlan
from crm_import.rehearsal.queries import counts_of
from crm_import.rehearsal.rules import LEADS_TO, UNDECIDED, Decision
from crm_import.results.rules import Result

# What somebody has decided about a row holds as long as it meets the same record.
_STORE = text(
    "INSERT INTO row_plans (job_id, row_number, outcome, record_id, matched_by, changes, owner_id, pool_id, problems, cells,"
    " decision) SELECT :job_id, r.number, r.outcome, r.record_id, r.matched_by, r.changes::jsonb, r.owner_id, r.pool_id,"
    " r.problems::jsonb, r.cells::jsonb, r.decision"
    " FROM unnest(CAST(:numbers AS int[]), CAST(:outcomes AS text[]), CAST(:records AS uuid[]), CAST(:keys AS text[]),"
    " CAST(:changes AS text[]), CAST(:owners AS uuid[]), CAST(:pools AS uuid[]), CAST(:problems AS text[]),"
    " CAST(:cells AS text[]), CAST(:decisions AS text[]))"
    " AS r(number, outcome, record_id, matched_by, changes, owner_id, pool_id, problems, cells, decision)"
    " ON CONFLICT (job_id, row_number) DO UPDATE SET record_id = excluded.record_id, matched_by = excluded.matched_by,"
    " changes = excluded.changes, owner_id = excluded.owner_id, pool_id = excluded.pool_id, problems = excluded.problems,"
    " cells = excluded.cells, outcome = CASE WHEN excluded.decision IS NOT NULL AND excluded.record_id = row_plans.record_id"
    " THEN row_plans.outcome ELSE excluded.outcome END, decision = CASE WHEN excluded.decision IS NOT NULL"
    " AND excluded.record_id = row_plans.record_id THEN row_plans.decision ELSE excluded.decision END"
    " RETURNING outcome, decision"
)


_FORGET = text(
    "DELETE FROM row_plans WHERE (job_id, row_number) IN"
    " (SELECT job_id, row_number FROM row_plans WHERE job_id = :job_id LIMIT :most) RETURNING 1"
)


def rehearse(session: Session, actor: Actor, job_id: UUID, now: datetime) -> ImportJob:
    """Ask for a rehearsal; what an earlier one has found is forgotten, what was decided after it only with its settings.

    While one is under way this changes nothing. Raises NotFound, Forbidden, Conflict, Invalid.
    """
    job = jobs.job_to_start(session, actor, job_id)
    forgotten = [RowPlan.job_id == job.id]
    if job.status == Status.REHEARSED:
        forgotten.append(or_(RowPlan.decision.is_(None), RowPlan.decision == Decision.UNDECIDED))
    if job.rehearse(now, actor.language):
        session.execute(delete(RowPlan).where(*forgotten))
        session.flush()
        jobs.request_split(session, job)
        jobs.audit(session, "import.rehearse", actor.id, job)
    return job


def store_plans(session: Session, job_id: UUID, results: Sequence[Result]) -> tuple[Counter[str], int]:
    """Keep what would become of rows, in one statement; returns how they would end, and how many wait for a decision."""
    asked = [any(problem.code == UNDECIDED for problem in result.problems) for result in results]
    stored = session.execute(
        _STORE,
        {
            "job_id": job_id,
            "numbers": [result.number for result in results],
            "outcomes": [str(result.outcome) for result in results],
            "records": [result.record_id or None for result in results],
            "keys": [result.matched_by or None for result in results],
            "changes": [_json([{"field": name, "before": was} for name, was in result.changes]) for result in results],
            "owners": [result.owner_id for result in results],
            "pools": [result.pool_id for result in results],
            "problems": [_problems(result) for result in results],
            "cells": [_json(list(result.cells or ())) for result in results],
            "decisions": [Decision.UNDECIDED.value if one else None for one in asked],
        },
    )
    ends = stored.all()
    return Counter(row.outcome for row in ends), sum(row.decision == Decision.UNDECIDED for row in ends)


def forget_plans(session: Session, job_id: UUID, most: int) -> int:
    """Delete up to `most` plans of a job; returns how many."""
    return len(session.execute(_FORGET, {"job_id": job_id, "most": most}).all())


def decide(
    session: Session,
    actor: Actor,
    job_id: UUID,
    *,
    decision: Decision,
    rows: Collection[int] | None,
    matched_by: str | None,
    now: datetime,
) -> ImportJob:
    """Decide about rows that match a record, those numbered or all undecided ones, of those by one field if so wished.

    Deciding the same again changes nothing. Raises NotFound, Conflict, Invalid.
    """
    job = own_job(session, actor, job_id, is_locked=True)
    if job.status != Status.REHEARSED or job.mode != Mode.ASK:
        raise Conflict("nothing_to_decide")
    if matched_by is not None and matched_by not in job.traits.match_fields:
        expected = job.traits.labels(job.traits.match_fields, actor.language)
        raise invalid(FieldError("/matched_by", "not_a_match_field", {"expected": expected}))
    asked = [RowPlan.job_id == job.id, RowPlan.decision.is_not(None)]
    if rows is None:
        asked.append(RowPlan.decision == Decision.UNDECIDED)
    else:
        asked.append(RowPlan.row_number == any_(literal(list(rows), ARRAY(Integer))))
        _require_asked(session, asked, list(rows))
    if matched_by is not None:
        asked.append(RowPlan.matched_by == matched_by)
    decided = update(RowPlan).where(*asked, RowPlan.decision != decision).returning(RowPlan.row_number)
    numbers = session.scalars(decided.values(decision=decision, outcome=LEADS_TO[decision])).all()
    if numbers:
        counts = counts_of(session, job.id)
        job.created, job.updated, job.skipped = counts.created, counts.updated, counts.skipped
        job.undecided = counts.undecided
        job.changed(now)
        after = {"decision": decision, "matched_by": matched_by, "rows": len(numbers)}
        record_audit(session, AuditEntry("import.decide", jobs.SUBJECT, job.id, actor.id, after=after))
    return job


def _require_asked(session: Session, asked: Sequence[object], rows: Sequence[int]) -> None:
    known = set(session.scalars(select(RowPlan.row_number).where(*asked)))  # type: ignore[arg-type]
    errors = [FieldError(f"/rows/{place}", "row_not_asked") for place, row in enumerate(rows) if row not in known]
    if errors:
        raise invalid(*errors)


def _problems(result: Result) -> str:
    return _json([problem.stored() for problem in result.problems if problem.code != UNDECIDED])


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
