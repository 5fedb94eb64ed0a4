"""Looking for duplicates (查重): what was asked (decision 0032)."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Date, Index, Integer, Text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.database import Base


class DuplicateCheck(Base):
    """A question that a member asked on one of the organisation's days; asked again on that day it is the same one.

    `question`: what was asked, normalised, as one text; `found`: candidates at the first time.
    """

    __tablename__ = "duplicate_checks"
    __table_args__ = (
        Index("uq_duplicate_checks_question", "member_id", "day", "question", unique=True),
        Index("ix_duplicate_checks_asked_at", "asked_at", "id"),
        Index("ix_duplicate_checks_member_id", "member_id", "asked_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    day: Mapped[date] = mapped_column(Date)
    question: Mapped[str] = mapped_column(Text)
    asked_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    name: Mapped[str | None] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text)
    credit_code: Mapped[str | None] = mapped_column(Text)
    found: Mapped[int] = mapped_column(Integer)
