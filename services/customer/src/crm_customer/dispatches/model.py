"""Dispatches: a task for each of many customers (下发任务)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Index, Integer, Text, Uuid
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.database import Base


class Dispatch(Base):
    """What one dispatch said (F-22): its id is its batch's. Each customer gets one task, its handler the next in turn."""

    __tablename__ = "task_dispatches"
    __table_args__ = (Index("ix_task_dispatches_created_by", "created_by", "created_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    priority: Mapped[str] = mapped_column(Text)
    due_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    remind_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    owner_id: Mapped[UUID]
    handler_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    customers: Mapped[int] = mapped_column(Integer)
    created_by: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    # When what was left of it was ended as a whole.
    ended_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
