"""Reading the rows that chunks are about."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chassis.runtime import Runtime
from crm_import.chunks.model import Chunk
from crm_import.chunks.rules import Rows, Task, read_chunk, row_again
from crm_import.corrections.queries import corrections_of
from crm_import.results.model import RowResult
from crm_import.results.queries import retried
from crm_import.results.rules import WROTE


def rows_of(runtime: Runtime, task: Task) -> Rows:
    """The rows of a chunk as they stand, out of the file or out of results that are to be replaced, corrections over them;
    in file order. Raises FileNotFoundError, Unavailable.
    """
    rows = _retried(runtime, task) if task.is_retry else read_chunk(runtime.object_store().get(task.key), task.first)
    if not task.has_corrections:
        return rows
    with runtime.database.reading() as session:
        corrected = corrections_of(session, task.job_id, rows.numbers)
    return rows.corrected(corrected, task.mapped)


def _retried(runtime: Runtime, task: Task) -> Rows:
    with runtime.database.reading() as session:
        results = retried(session, task.job_id, task.number)
    again = [row_again(one.row_number, one.cells or [], one.reasons(), task) for one in results]
    return Rows.of(task.first, again)


def written_in(session: Session, chunk_id: UUID) -> Sequence[RowResult]:
    """The results of a chunk's rows that created or updated, in file order. The file itself is not needed: each chunk of
    it has as many of the job's results as it has rows, in the same order.
    """
    chunk = session.get_one(Chunk, chunk_id)
    of_file = (Chunk.job_id == chunk.job_id, ~Chunk.is_retry)
    before = session.scalar(select(func.coalesce(func.sum(Chunk.rows), 0)).where(*of_file, Chunk.number < chunk.number))
    results = select(RowResult.row_number).where(RowResult.job_id == chunk.job_id).order_by(RowResult.row_number)
    numbers = list(session.scalars(results.offset(before or 0).limit(chunk.rows)))
    if not numbers:
        return []
    within = (RowResult.job_id == chunk.job_id, RowResult.row_number.between(numbers[0], numbers[-1]))
    wrote = select(RowResult).where(*within, RowResult.outcome.in_(WROTE))
    return session.scalars(wrote.order_by(RowResult.row_number)).all()
