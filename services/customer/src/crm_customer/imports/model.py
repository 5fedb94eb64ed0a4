"""Answers of bulk writes, kept for redos."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, LargeBinary
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.database import Base


class BulkWriteResult(Base):
    """What was answered for one chunk: a BulkWriteCustomersResponse, written with the rows it speaks of."""

    __tablename__ = "bulk_write_results"
    __table_args__ = (Index("ix_bulk_write_results_written_at", "written_at"),)

    chunk_id: Mapped[UUID] = mapped_column(primary_key=True)
    response: Mapped[bytes] = mapped_column(LargeBinary)
    written_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
