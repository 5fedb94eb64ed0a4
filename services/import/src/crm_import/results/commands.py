"""Storing and forgetting row results, set-wise."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from crm_import.results.rules import Only, Problem, Result, Results, Reverted

_PUT = "INSERT INTO row_results (job_id, row_number, outcome, customer_id, problems, cells, owner_id, pool_id) "
# Results stored before stay as they are (D-44), but for rows that this chunk retries.
_PUT_AGAIN = (
    " ON CONFLICT (job_id, row_number) DO UPDATE SET outcome = excluded.outcome, customer_id = excluded.customer_id,"
    " problems = excluded.problems, cells = excluded.cells, owner_id = excluded.owner_id, pool_id = excluded.pool_id"
    " WHERE row_results.retried_in = :retried_in"
)
_SINGLE = (
    "SELECT :job_id, r.number, r.outcome, r.record_id, r.problems::jsonb, r.cells::jsonb, r.owner_id, r.pool_id"
    " FROM unnest(CAST(:numbers AS int[]), CAST(:outcomes AS text[]), CAST(:records AS uuid[]),"
    " CAST(:problems AS text[]), CAST(:cells AS text[]), CAST(:owners AS uuid[]), CAST(:pools AS uuid[]))"
    " AS r(number, outcome, record_id, problems, cells, owner_id, pool_id)"
)
_CREATED = (
    "SELECT :job_id, r.number, 'created', r.record_id, '[]', NULL, CAST(:owner_id AS uuid), CAST(:pool_id AS uuid)"
    " FROM unnest(CAST(:numbers AS int[]), CAST(:records AS uuid[])) AS r(number, record_id)"
)
_STORE_SINGLE, _STORE_CREATED = text(_PUT + _SINGLE), text(_PUT + _CREATED)
_STORE_SINGLE_AGAIN, _STORE_CREATED_AGAIN = text(_PUT + _SINGLE + _PUT_AGAIN), text(_PUT + _CREATED + _PUT_AGAIN)
_REVERT = text(
    "UPDATE row_results SET undo = r.undo, undo_problems = r.problems::jsonb"
    " FROM unnest(CAST(:numbers AS int[]), CAST(:undo AS text[]), CAST(:problems AS text[])) AS r(number, undo, problems)"
    " WHERE row_results.job_id = :job_id AND row_results.row_number = r.number"
)
_MARK = (
    "WITH chosen AS (SELECT r.row_number, r.outcome,"
    " :first + (row_number() OVER (ORDER BY r.row_number) - 1) / :size AS chunk"
    " FROM row_results r LEFT JOIN row_corrections c ON (c.job_id, c.row_number) = (r.job_id, r.row_number)"
    " WHERE r.job_id = :job_id AND ({condition})), marked AS (UPDATE row_results r SET retried_in = chosen.chunk FROM chosen"
    " WHERE (r.job_id, r.row_number) = (:job_id, chosen.row_number) RETURNING chosen.chunk, chosen.outcome)"
    " SELECT chunk, outcome, count(*) FROM marked GROUP BY chunk, outcome"
)
_FAILED = "r.outcome = 'failed'"
_PUT_RIGHT = "c.row_number IS NOT NULL AND r.outcome IN ('failed', 'skipped')"
_CHOICES = {None: f"{_FAILED} OR {_PUT_RIGHT}", Only.CORRECTED: _PUT_RIGHT, Only.FAILED: _FAILED}
_UNMARK = text("UPDATE row_results SET retried_in = NULL WHERE job_id = :job_id AND retried_in IS NOT NULL")
_FORGET = text(
    "DELETE FROM row_results WHERE (job_id, row_number) IN"
    " (SELECT job_id, row_number FROM row_results WHERE job_id = :job_id LIMIT :most) RETURNING 1"
)


def store_results(session: Session, job_id: UUID, results: Results, retried_in: int | None = None) -> None:
    """Keep results of a chunk that is finished now: of rows of the file, which have none yet, or of those that it, number
    `retried_in`, tries again (D-44).
    """
    once = retried_in is None
    for group in results.created:
        given = {"owner_id": group.owner_id, "pool_id": group.pool_id, "numbers": list(group.numbers)}
        records = {"records": list(group.record_ids), "job_id": job_id, "retried_in": retried_in}
        session.execute(_STORE_CREATED if once else _STORE_CREATED_AGAIN, given | records)
    if results.single:
        statement = _STORE_SINGLE if once else _STORE_SINGLE_AGAIN
        session.execute(statement, {"job_id": job_id, "retried_in": retried_in, **_by_column(results.single)})


def _by_column(results: Sequence[Result]) -> dict[str, list[Any]]:
    return {
        "numbers": [result.number for result in results],
        "outcomes": [str(result.outcome) for result in results],
        "records": [result.record_id or None for result in results],
        "problems": [_problems(result.problems) for result in results],
        "cells": [None if result.cells is None else _json(list(result.cells)) for result in results],
        "owners": [result.owner_id for result in results],
        "pools": [result.pool_id for result in results],
    }


def store_reverted(session: Session, job_id: UUID, reverted: Sequence[Reverted]) -> None:
    """Keep what an undo made of rows, in one statement; the last answer counts."""
    session.execute(
        _REVERT,
        {
            "job_id": job_id,
            "numbers": [one.number for one in reverted],
            "undo": [str(one.undo) for one in reverted],
            "problems": [_problems(one.problems) for one in reverted],
        },
    )


def mark_retried(session: Session, job_id: UUID, only: Only | None, first: int, size: int) -> dict[int, dict[str, int]]:
    """Deal the rows to be tried again out to chunks of `size` from number `first` on; by chunk how its rows have ended
    so far, each with how many.
    """
    session.execute(_UNMARK, {"job_id": job_id})
    marked = text(_MARK.format(condition=_CHOICES[only]))
    chunks: dict[int, dict[str, int]] = {}
    for chunk, outcome, count in session.execute(marked, {"job_id": job_id, "first": first, "size": size}):
        chunks.setdefault(chunk, {})[outcome] = count
    return chunks


def forget_results(session: Session, job_id: UUID, most: int) -> int:
    """Delete up to `most` results of a job; returns how many."""
    return len(session.execute(_FORGET, {"job_id": job_id, "most": most}).all())


def _problems(problems: Sequence[Problem]) -> str:
    return _json([problem.stored() for problem in problems]) if problems else "[]"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
