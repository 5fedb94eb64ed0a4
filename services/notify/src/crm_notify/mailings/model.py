"""E-mails and SMS that a member sends to customers (邮件群发, J-01 to J-08, J-15 to J-17)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm.common.v1.selection_pb2 import Selection
from crm_notify.database import Base
from crm_notify.deliveries.rules import Channel
from crm_notify.mailings.rules import OPEN, Status


class Mailing(Base):
    """One text to many customers. `selection` is the Selection message; while `collecting`, a worker asks customer for the
    recipients page by page, `cursor` being customer's. `failed` with `error_code`: nobody could be collected any more.
    `forgotten_at`: since when its recipients have no addresses and contacts' names any more.
    """

    __tablename__ = "mailings"
    __table_args__ = (
        CheckConstraint("status IN ('collecting', 'sending', 'finished', 'cancelled', 'failed')", name="status_known"),
        Index("ix_mailings_open", "id", postgresql_where=text("status IN ('collecting', 'sending')")),
        Index("ix_mailings_actor_id_id", "actor_id", "id"),
        Index("ix_mailings_unforgotten", "finished_at", postgresql_where=text("forgotten_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    actor_id: Mapped[UUID]
    channel: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    template_id: Mapped[UUID | None]
    selection: Mapped[bytes] = mapped_column(LargeBinary)
    scope: Mapped[dict[str, Any]] = mapped_column(JSONB)
    status: Mapped[str] = mapped_column(Text)
    cursor: Mapped[str] = mapped_column(Text)
    total: Mapped[int] = mapped_column(Integer)
    error_code: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    next_attempt_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    forgotten_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    @property
    def kind(self) -> Channel:
        """How its recipients are written to."""
        return Channel(self.channel)

    @property
    def open(self) -> bool:
        """Whether more may still be sent."""
        return self.status in OPEN

    def chosen(self) -> Selection:
        """Which customers it goes to."""
        return Selection.FromString(self.selection)

    def end(self, status: Status, now: datetime, error_code: str | None = None) -> None:
        """No more is sent after this."""
        self.status, self.finished_at, self.error_code = status, now, error_code


class MailingRecipient(Base):
    """One customer of a mailing, with the address as it was when collected, or why it gets nothing (`skip_code`).

    `unsubscribe_token` lets whoever got the mail say that they want no more; its delivery says what became of it.
    """

    __tablename__ = "mailing_recipients"
    __table_args__ = (
        UniqueConstraint("mailing_id", "customer_id"),
        UniqueConstraint("unsubscribe_token"),
        Index(
            "uq_mailing_recipients_address",
            "mailing_id",
            "address",
            unique=True,
            postgresql_where=text("skip_code IS NULL AND address <> ''"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    mailing_id: Mapped[UUID] = mapped_column(ForeignKey("mailings.id", ondelete="CASCADE"))
    customer_id: Mapped[UUID]
    customer_name: Mapped[str] = mapped_column(Text)
    contact_name: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(Text)
    owner_id: Mapped[UUID | None]
    skip_code: Mapped[str | None] = mapped_column(Text)
    unsubscribe_token: Mapped[str | None] = mapped_column(Text)


class MailingAttachment(Base):
    """A file that goes with a mailing, in the object store; one that no mailing took is removed after a day."""

    __tablename__ = "mailing_attachments"
    __table_args__ = (
        Index("ix_mailing_attachments_mailing_id", "mailing_id"),
        Index("ix_mailing_attachments_unused", "created_at", postgresql_where=text("mailing_id IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    mailing_id: Mapped[UUID | None] = mapped_column(ForeignKey("mailings.id", ondelete="CASCADE"))
    actor_id: Mapped[UUID]
    file_name: Mapped[str] = mapped_column(Text)
    content_type: Mapped[str] = mapped_column(Text)
    bytes: Mapped[int] = mapped_column(Integer)
    object_key: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
