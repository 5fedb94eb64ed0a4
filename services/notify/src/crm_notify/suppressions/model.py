"""Addresses that nothing is sent to any more."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Text, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from crm_notify.database import Base


class Suppression(Base):
    """One address of one channel and why; each reason is lifted by itself. `reason`: `bounced` stops everything, `unsubscribed` and `manual` stop mailings alone.

    `address` is as `suppressions.rules.normalised` makes it.
    """

    __tablename__ = "suppressions"
    __table_args__ = (
        UniqueConstraint("channel", "address", "reason"),
        CheckConstraint("reason IN ('bounced', 'unsubscribed', 'manual')", name="reason_known"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    note: Mapped[str] = mapped_column(Text)
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
