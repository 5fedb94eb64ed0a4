"""The delivery ledger: one row per receiver and channel, never with an address, and why when there is nothing to send."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, Text, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from crm_notify.database import Base

_QUEUED_NOTICE = text("status = 'queued' AND recipient_id IS NULL AND digest_id IS NULL")
_QUEUED_DIGEST = text("status = 'queued' AND digest_id IS NOT NULL")
_QUEUED_MAILING = text("status = 'queued' AND recipient_id IS NOT NULL AND digest_id IS NULL")


class Delivery(Base):
    """One notification on its way to one member, or one mailing to one recipient, over one channel (decision 0035).

    `attempts` counts tries, the running one included. `last_error_code` says why it failed, or why it is suppressed.
    Rows of one `digest_id` go out as one message. Of what is shown in the app there is no row: the notification says so.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        CheckConstraint(
            "status IN ('queued', 'sending', 'sent', 'uncertain', 'bounced', 'suppressed', 'failed', 'dead')",
            name="status_known",
        ),
        CheckConstraint("num_nonnulls(notification_id, recipient_id) = 1", name="of_one"),
        UniqueConstraint("recipient_id"),
        Index("ix_deliveries_due_notices", "channel", "next_attempt_at", "id", postgresql_where=_QUEUED_NOTICE),
        Index("ix_deliveries_due_digests", "channel", "next_attempt_at", "digest_id", postgresql_where=_QUEUED_DIGEST),
        Index("ix_deliveries_due_mailings", "channel", "next_attempt_at", "id", postgresql_where=_QUEUED_MAILING),
        Index("ix_deliveries_member_id_id", "member_id", "id"),
        Index("ix_deliveries_status_id", "status", "id"),
        Index("ix_deliveries_notification_id", "notification_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    notification_id: Mapped[UUID | None] = mapped_column(ForeignKey("notifications.id", ondelete="CASCADE"))
    recipient_id: Mapped[UUID | None] = mapped_column(ForeignKey("mailing_recipients.id", ondelete="CASCADE"))
    member_id: Mapped[UUID | None]
    channel: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    digest_id: Mapped[UUID | None]
    attempts: Mapped[int]
    next_attempt_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    last_error_code: Mapped[str | None] = mapped_column(Text)
    message_id: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    sent_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
