"""What is announced (公告) to everybody or some, told to each by a notification."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Index, Integer, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm_notify.database import Base


class Announcement(Base):
    """An announcement. `audience`: {} everybody, else lists of department_ids (with those below), role_ids, group_ids and
    member_ids, joined by OR. While `telling` or `withdrawing`, a worker walks the members by id, `told_to` being the last
    one done.
    """

    __tablename__ = "announcements"
    __table_args__ = (
        CheckConstraint("status IN ('telling', 'told', 'withdrawing', 'withdrawn')", name="status_known"),
        Index("ix_announcements_under_way", "id", postgresql_where=text("status IN ('telling', 'withdrawing')")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    audience: Mapped[dict[str, Any]] = mapped_column(JSONB)
    status: Mapped[str] = mapped_column(Text)
    told_to: Mapped[UUID | None]
    receivers: Mapped[int] = mapped_column(Integer)
    created_by: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    withdrawn_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
