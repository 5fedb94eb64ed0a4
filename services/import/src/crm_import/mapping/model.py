"""Mappings that members keep under a name."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm_import.database import Base


class SavedMapping(Base):
    """Which header fills which field, for files of one kind; `fields`: `{header, field}` in file order, `settings` those of
    jobs that go with it (mode, match_fields, clear_empty, date_order …). The one last used comes first.
    """

    __tablename__ = "saved_mappings"
    __table_args__ = (UniqueConstraint("member_id", "kind", "name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    member_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    fields: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    settings: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    used_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
