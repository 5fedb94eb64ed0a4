"""The notification: what one member was told of one event. Its words are made when it is read."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Index, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from chassis.errors import Conflict
from crm_notify.database import Base

_SHOWN = "in_app AND dismissed_at IS NULL AND snoozed_until IS NULL"
_ASIDE = "in_app AND (dismissed_at IS NOT NULL OR snoozed_until IS NOT NULL)"


class Notification(Base):
    """One row per member, event and kind. `in_app` is false while it is not to be shown; the ledger says why.

    `occurred_at` is when the event happened, by which the inbox is ordered. With `snoozed_until` it is out of sight until
    woken then, with `dismissed_at` for good (K-14); either way it counts for nothing.
    """

    __tablename__ = "notifications"
    __table_args__ = (
        UniqueConstraint("source_event_id", "member_id", "kind"),
        Index("ix_notifications_inbox", "member_id", "occurred_at", "id", postgresql_where=text(_SHOWN)),
        Index(
            "ix_notifications_unread",
            "member_id",
            "occurred_at",
            "id",
            postgresql_where=text(f"{_SHOWN} AND read_at IS NULL"),
        ),
        Index("ix_notifications_aside", "member_id", "occurred_at", "id", postgresql_where=text(_ASIDE)),
        Index("ix_notifications_kind", "member_id", "kind", "occurred_at", "id"),
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

    def mark_unread(self) -> bool:
        """Take back that it was read; False when it was not."""
        was_read, self.read_at = self.read_at is not None, None
        return was_read

    def snooze(self, until: datetime) -> None:
        """Put it out of sight until then. Raises Conflict for a dismissed one."""
        if self.dismissed_at is not None:
            raise Conflict("notification_dismissed")
        self.snoozed_until = until

    def dismiss(self, now: datetime) -> bool:
        """Put it out of sight for good; False when it is already."""
        if self.dismissed_at is not None:
            return False
        self.dismissed_at, self.snoozed_until = now, None
        return True

    def restore(self) -> bool:
        """Bring it back, as read as it was, after it was dismissed or snoozed; False when it was neither."""
        was_aside = self.dismissed_at is not None or self.snoozed_until is not None
        self.dismissed_at = self.snoozed_until = None
        return was_aside
