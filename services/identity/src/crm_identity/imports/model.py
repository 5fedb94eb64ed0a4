"""Answers of bulk writes, kept for redos."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from crm_identity.database import Base


class BulkWriteResult(Base):
    """What was answered for one chunk: a BulkWriteMembersResponse, written with the members it speaks of."""

    __tablename__ = "bulk_write_results"
    __table_args__ = (Index("ix_bulk_write_results_written_at", "written_at"),)

    chunk_id: Mapped[UUID] = mapped_column(primary_key=True)
    response: Mapped[bytes] = mapped_column(LargeBinary)
    written_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
