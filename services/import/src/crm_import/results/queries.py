"""Reading row results."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, literal, select, text
from sqlalchemy.orm import Session

from chassis.database import Database
from crm_import.corrections.queries import corrections_of
from crm_import.corrections.rules import overlaid
from crm_import.results.model import RowResult
from crm_import.results.rules import Outcome, Problem, ProblemSum, Undo
from directory.tables import members

_PAGE = 1000
_SUMS = text(
    "SELECT p->>'field', p->>'code', coalesce(p->>'value', ''),"
    " coalesce((array_agg(p->'parameters' ORDER BY row_number))[1], '{}'), count(DISTINCT row_number), min(row_number)"
    " FROM row_results, jsonb_array_elements(problems) AS p WHERE job_id = :job_id AND outcome = :outcome"
    " GROUP BY 1, 2, 3 ORDER BY 5 DESC, 6, 1, 2 LIMIT :most"
)


@dataclass(frozen=True)
class Wanted:
    """Which results: with that outcome, of which an undo made that, with a problem of that field and code, and a cell that holds `text`; empty: any."""

    outcome: Outcome | None = None
    undo: Undo | None = None
    field: str = ""
    code: str = ""
    text: str = ""

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """As conditions on row results."""
        if self.outcome is not None:
            yield RowResult.outcome == self.outcome
        if self.undo is not None:
            yield RowResult.undo == self.undo
        problem = {name: value for name, value in (("field", self.field), ("code", self.code)) if value}
        if problem:
            yield RowResult.problems.contains([problem])
        if self.text:
            cell = func.jsonb_array_elements_text(RowResult.cells).column_valued("cell")
            found = func.strpos(func.lower(cell), func.lower(self.text)) > 0
            yield and_(RowResult.cells.is_not(None), select(literal(1)).where(found).exists())


def list_results(
    session: Session, job_id: UUID, wanted: Wanted, page: int, page_size: int
) -> tuple[Sequence[Any], int]:
    """A page of results in file order, each with its owner's name, and how many there are."""
    found = select(RowResult).where(RowResult.job_id == job_id, *wanted.conditions())
    total = session.scalar(select(func.count()).select_from(found.subquery())) or 0
    named = found.add_columns(members.c.name).outerjoin(members, members.c.id == RowResult.owner_id)
    rows = named.order_by(RowResult.row_number).offset((page - 1) * page_size).limit(page_size)
    return session.execute(rows).all(), total


def retried(session: Session, job_id: UUID, chunk_number: int) -> list[RowResult]:
    """The rows that a chunk tries again, in file order."""
    rows = select(RowResult).where(RowResult.job_id == job_id, RowResult.retried_in == chunk_number)
    return list(session.scalars(rows.order_by(RowResult.row_number)))


def outcomes_of_retried(session: Session, job_id: UUID, chunk_number: int) -> dict[str, int]:
    """How the rows that a chunk tries again end as things stand."""
    counted = select(RowResult.outcome, func.count()).where(
        RowResult.job_id == job_id, RowResult.retried_in == chunk_number
    )
    return {row.outcome: row[1] for row in session.execute(counted.group_by(RowResult.outcome))}


def receivers(session: Session, job_id: UUID, *, retried_alone: bool) -> dict[UUID, int]:
    """Who owns how many of the customers that a job created; `retried_alone`: out of rows that were tried again."""
    created = [RowResult.job_id == job_id, RowResult.owner_id.is_not(None), RowResult.outcome == Outcome.CREATED]
    if retried_alone:
        created.append(RowResult.retried_in.is_not(None))
    counted = select(RowResult.owner_id, func.count()).where(*created).group_by(RowResult.owner_id)
    return {row.owner_id: row[1] for row in session.execute(counted) if row.owner_id}


def sum_problems(session: Session, job_id: UUID, outcome: Outcome, most: int) -> list[ProblemSum]:
    """How many rows with that outcome have each problem with each value, the most first, up to `most`."""
    found = session.execute(_SUMS, {"job_id": job_id, "outcome": outcome, "most": most})
    return [
        ProblemSum(Problem(field, code, value, parameters), rows, first)
        for field, code, value, parameters, rows, first in found
    ]


def each_result(
    database: Database, job_id: UUID, outcomes: Sequence[Outcome], first_column: int
) -> Iterator[RowResult]:
    """Every result with one of these outcomes in file order, corrections over its cells, which begin with `first_column`;
    read page by page in transactions of their own.
    """
    after = 0
    while True:
        wanted = (
            select(RowResult)
            .where(RowResult.job_id == job_id, RowResult.row_number > after, RowResult.outcome.in_(outcomes))
            .order_by(RowResult.row_number)
            .limit(_PAGE)
        )
        with database.reading() as session:
            rows = list(session.scalars(wanted))
            corrected = corrections_of(session, job_id, [row.row_number for row in rows])
        for row in rows:
            row.cells = overlaid(row.cells or [], corrected.get(row.row_number, {}), first_column)
            yield row
        if len(rows) < _PAGE:
            return
        after = rows[-1].row_number
