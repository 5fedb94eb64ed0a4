"""Runs of the recycler (自动回收)."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, DateTime, Integer, Text, UniqueConstraint, Uuid
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from crm_pool.database import Base


class Run(Base):
    """The run of one of the organisation's days; its `id` is the batch_id of what it takes.

    `state`: running, held (waits for a confirmation because of `reasons`), finished, dropped (somebody refused it).
    `held_owner_ids`: whose customers wait although the others go. `nominated`, `taken`, `spared`: customers.
    """

    __tablename__ = "recycling_runs"
    __table_args__ = (
        UniqueConstraint("day", name="uq_recycling_runs_day"),
        CheckConstraint("state IN ('running', 'held', 'finished', 'dropped')", name="state"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date)
    state: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    reasons: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    held_owner_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default="{}")
    confirmed_by: Mapped[UUID | None]
    confirmed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    nominated: Mapped[int] = mapped_column(Integer)
    taken: Mapped[int] = mapped_column(Integer)
    spared: Mapped[int] = mapped_column(Integer)
