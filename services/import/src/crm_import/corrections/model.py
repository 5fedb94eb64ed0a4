"""Cells that somebody has put right on the page instead of in the file."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Integer
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm_import.database import Base


class RowCorrection(Base):
    """`cells`: index of the column (as text) → what it is to hold. They stand over those of the file whenever its row is read."""

    __tablename__ = "row_corrections"

    job_id: Mapped[UUID] = mapped_column(primary_key=True)
    row_number: Mapped[int] = mapped_column(Integer, primary_key=True)
    cells: Mapped[dict[str, Any]] = mapped_column(JSONB)
    corrected_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
