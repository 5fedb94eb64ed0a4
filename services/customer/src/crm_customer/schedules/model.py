"""Entries of members' schedules (日程), and their calendar feeds."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, Text, false, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.database import Base, Versioned


class ScheduleEntry(Versioned, Base):
    """What a member means to do from `starts_at` to `ends_at` (UTC, F-34), with or without a customer.

    `all_day`: both are midnights of the organisation, the end exclusive. `reminded_at`: when the reminder of `remind_at` was sent.
    """

    __tablename__ = "schedule_entries"
    __table_args__ = (
        Index(
            "ix_schedule_entries_member_id", "member_id", "starts_at", "id", postgresql_where=text("deleted_at IS NULL")
        ),
        Index("ix_schedule_entries_customer_id", "customer_id", "starts_at", "id"),
        Index(
            "ix_schedule_entries_remind_at",
            "remind_at",
            postgresql_where=text("remind_at IS NOT NULL AND reminded_at IS NULL AND deleted_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("customers.id"))
    subject: Mapped[str] = mapped_column(Text)
    starts_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    ends_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    all_day: Mapped[bool] = mapped_column(server_default=false())
    place: Mapped[str | None] = mapped_column(Text)
    purpose: Mapped[str | None] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    remind_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    reminded_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    created_by: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    deleted_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))

    def change(self, values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        """As every record; a new moment is reminded of anew."""
        before = super().change(values, now)
        if "remind_at" in before:
            self.reminded_at = None
        return before


class CalendarFeed(Base):
    """A member's calendar for other programs: whoever has the ticket reads it, until it is revoked. Only its hash is kept."""

    __tablename__ = "calendar_feeds"

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    ticket_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    read_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
