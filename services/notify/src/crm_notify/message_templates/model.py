"""Texts for mailings, kept for all who send some."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Index, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from crm_notify.database import Base


class MessageTemplate(Base):
    """A template for e-mails (subject and HTML body) or SMS (text body); variables are those of `rules`."""

    __tablename__ = "message_templates"
    __table_args__ = (
        Index("uq_message_templates_name", "name", unique=True, postgresql_where=text("deleted_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    channel: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    created_by: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    def state(self) -> dict[str, Any]:
        """What users can change."""
        return {"name": self.name, "subject": self.subject, "body": self.body}
