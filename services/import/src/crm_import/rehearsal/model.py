"""What a rehearsal has found out about each row: it would be created, update a record, be skipped or fail."""

from typing import Any
from uuid import UUID

from sqlalchemy import Index, Integer, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm_import.database import Base


class RowPlan(Base):
    """`outcome` as in results.rules.Outcome; `record_id` was met by the field `matched_by`; `changes`: `{field, before}` of
    an update; `owner_id` and `pool_id`: where a created customer would lie; `decision` (update, skip, create) of a row
    that somebody was asked about (D-21). `cells` as in the file, of every row.
    """

    __tablename__ = "row_plans"
    __table_args__ = (
        Index("ix_row_plans_outcome", "job_id", "outcome", "row_number"),
        Index("ix_row_plans_owner_id", "job_id", "owner_id"),
    )

    job_id: Mapped[UUID] = mapped_column(primary_key=True)
    row_number: Mapped[int] = mapped_column(Integer, primary_key=True)
    outcome: Mapped[str] = mapped_column(Text)
    record_id: Mapped[UUID | None]
    matched_by: Mapped[str | None] = mapped_column(Text)
    changes: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    owner_id: Mapped[UUID | None]
    pool_id: Mapped[UUID | None]
    problems: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    cells: Mapped[list[str]] = mapped_column(JSONB)
    decision: Mapped[str | None] = mapped_column(Text)
