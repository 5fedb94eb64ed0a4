"""Reading row results."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chassis.database import Database
from crm_import.results.model import RowResult
from crm_import.results.rules import Outcome

_PAGE = 1000


def list_results(
    session: Session, job_id: UUID, outcome: Outcome | None, page: int, page_size: int
) -> tuple[list[RowResult], int]:
    """A page of results in file order, and how many there are."""
    wanted = select(RowResult).where(RowResult.job_id == job_id)
    if outcome is not None:
        wanted = wanted.where(RowResult.outcome == outcome)
    total = session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
    rows = wanted.order_by(RowResult.row_number).offset((page - 1) * page_size).limit(page_size)
    return list(session.scalars(rows)), total


def each_result(database: Database, job_id: UUID, outcomes: Sequence[Outcome]) -> Iterator[RowResult]:
    """Every result with one of these outcomes in file order, read page by page in transactions of their own."""
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
        yield from rows
        if len(rows) < _PAGE:
            return
        after = rows[-1].row_number
