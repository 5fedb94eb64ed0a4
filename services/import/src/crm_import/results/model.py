"""Row results: exactly one for every row of a file, kept for a month."""

from typing import Any
from uuid import UUID

from sqlalchemy import Index, Integer, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm_import.database import Base
from crm_import.results.rules import Problem


class RowResult(Base):
    """What became of a row. `problems` as in rules.Problem; `cells` the row as in the file, from the first headed
    column on, unless it was created or updated. `owner_id` or `pool_id` of customers that were created. `retried_in`: number of the chunk that
    has tried it again since the last start. After an undo `undo` says what
    came of it (undone, partly, left) and `undo_problems` why something was left.
    """

    __tablename__ = "row_results"
    __table_args__ = (
        # Nearly all rows are created; whoever looks for others must not read through those.
        Index(
            "ix_row_results_outcome",
            "job_id",
            "outcome",
            "row_number",
            postgresql_where=text("outcome <> 'created'"),
        ),
        Index("ix_row_results_retried_in", "job_id", "retried_in", postgresql_where=text("retried_in IS NOT NULL")),
        Index("ix_row_results_undo", "job_id", "undo", "row_number", postgresql_where=text("undo IS NOT NULL")),
    )

    job_id: Mapped[UUID] = mapped_column(primary_key=True)
    row_number: Mapped[int] = mapped_column(Integer, primary_key=True)
    outcome: Mapped[str] = mapped_column(Text)
    # Named when all rows were customers.
    record_id: Mapped[UUID | None] = mapped_column("customer_id")
    problems: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    cells: Mapped[list[str] | None] = mapped_column(JSONB)
    owner_id: Mapped[UUID | None]
    pool_id: Mapped[UUID | None]
    retried_in: Mapped[int | None] = mapped_column(Integer)
    undo: Mapped[str | None] = mapped_column(Text)
    undo_problems: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))

    def reasons(self) -> list[Problem]:
        """Why it was skipped or failed."""
        return [Problem(**problem) for problem in self.problems]

    def reasons_left(self) -> list[Problem]:
        """Why an undo left it, or some of it."""
        return [Problem(**problem) for problem in self.undo_problems or ()]
