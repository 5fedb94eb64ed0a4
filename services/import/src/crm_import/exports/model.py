"""An export job: records on their way into a file."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Index, Integer, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm_import.database import Base


class ExportJob(Base):
    """`selection` is a crm.common.v1.Selection; `fields`: those asked for, empty: all that its actor may see. `total` is about
    how many rows there are, `rows` how many are written. `expires_at`: the file is deleted then.
    """

    __tablename__ = "export_jobs"
    __table_args__ = (
        Index("ix_export_jobs_created_by", "created_by", "id"),
        Index("ix_export_jobs_under_way", "touched_at", postgresql_where=text("status IN ('queued', 'running')")),
        Index("ix_export_jobs_expires_at", "expires_at", postgresql_where=text("file_bytes IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    created_by: Mapped[UUID]
    kind: Mapped[str] = mapped_column(Text)
    format: Mapped[str] = mapped_column(Text)
    selection: Mapped[bytes] = mapped_column(LargeBinary)
    fields: Mapped[list[str]] = mapped_column(ARRAY(Text))
    status: Mapped[str] = mapped_column(Text)
    total: Mapped[int] = mapped_column(Integer, server_default="0")
    rows: Mapped[int] = mapped_column(Integer, server_default="0")
    tries: Mapped[int] = mapped_column(Integer, server_default="0")
    file_name: Mapped[str] = mapped_column(Text)
    file_bytes: Mapped[int | None] = mapped_column(BigInteger)
    failure_code: Mapped[str | None] = mapped_column(Text)
    failure_parameters: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    touched_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
