"""Reading corrections."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from crm_import.corrections.model import RowCorrection


def has_corrections(session: Session, job_id: UUID) -> bool:
    """Whether any cell of a job was corrected."""
    return bool(session.scalar(select(exists().where(RowCorrection.job_id == job_id))))


def corrections_of(session: Session, job_id: UUID, numbers: Sequence[int]) -> dict[int, dict[int, str]]:
    """Of these rows those that were corrected: what stands over their cells, by column."""
    if not numbers:
        return {}
    # Hardly any row is corrected: to send all numbers would cost more than what is found between.
    among = RowCorrection.row_number.between(min(numbers), max(numbers))
    wanted = set(numbers)
    found = session.execute(
        select(RowCorrection.row_number, RowCorrection.cells).where(RowCorrection.job_id == job_id, among)
    )
    return {
        row.row_number: {int(column): text for column, text in row.cells.items()}
        for row in found
        if row.row_number in wanted
    }
