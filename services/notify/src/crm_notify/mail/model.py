"""The delivery ledger: one row per mail, never with an address."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from crm_notify.database import Base


class Status(StrEnum):
    """`sending`: leased to one worker until `next_attempt_at`; `failed`: refused for good; `dead`: tried too often."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    DEAD = "dead"


class Delivery(Base):
    """One notification on its way to one member by e-mail. `attempts` counts tries, the running one included."""

    __tablename__ = "deliveries"
    __table_args__ = (
        CheckConstraint("status IN ('queued', 'sending', 'sent', 'failed', 'dead')", name="status_known"),
        Index("ix_deliveries_due", "next_attempt_at", "id", postgresql_where=text("status IN ('queued', 'sending')")),
        Index("ix_deliveries_member_id_id", "member_id", "id"),
        Index("ix_deliveries_status_id", "status", "id"),
        Index("ix_deliveries_notification_id", "notification_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    notification_id: Mapped[UUID] = mapped_column(ForeignKey("notifications.id", ondelete="CASCADE"))
    member_id: Mapped[UUID]
    channel: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int]
    next_attempt_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    last_error_code: Mapped[str | None] = mapped_column(Text)
    message_id: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    sent_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
