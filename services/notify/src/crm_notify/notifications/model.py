"""The notification: what one member was told of one event. Its words are made when it is read."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Index, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm_notify.database import Base


class Notification(Base):
    """One row per member, event and kind. `in_app` is false while it is not to be shown; the ledger says why.

    `occurred_at` is when the event happened, by which the inbox is ordered. Until `snoozed_until` it is out of sight,
    after `dismissed_at` for good (K-14).
    """

    __tablename__ = "notifications"
    __table_args__ = (
        UniqueConstraint("source_event_id", "member_id", "kind"),
        Index("ix_notifications_inbox", "member_id", "occurred_at", "id", postgresql_where=text("in_app")),
        Index("ix_notifications_unread", "member_id", "id", postgresql_where=text("in_app AND read_at IS NULL")),
        Index("ix_notifications_snoozed", "snoozed_until", postgresql_where=text("snoozed_until IS NOT NULL")),
        Index("ix_notifications_created_at", "created_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(Text)
    subject_type: Mapped[str | None] = mapped_column(Text)
    subject_id: Mapped[UUID | None]
    parameters: Mapped[dict[str, Any]] = mapped_column(JSONB)
    batch_id: Mapped[UUID | None]
    source_event_id: Mapped[UUID]
    in_app: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    occurred_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    read_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    snoozed_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    dismissed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    def mark_read(self, now: datetime) -> bool:
        """Note that its member has read it; False when that was so already."""
        if self.read_at is not None:
            return False
        self.read_at = now
        return True
