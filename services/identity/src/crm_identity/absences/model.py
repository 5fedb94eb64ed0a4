"""When members are away."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from crm_identity.database import Base


class Absence(Base):
    """A time in which a member is given nothing new, from `starts_at` until before `ends_at` (UTC).

    Those of one member never overlap. They are kept when they are over, and never edited but for an earlier end.
    """

    __tablename__ = "absences"
    __table_args__ = (
        CheckConstraint("starts_at < ends_at", name="order"),
        Index("ix_absences_member_id", "member_id", "ends_at"),
        Index("ix_absences_ends_at", "ends_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID] = mapped_column(ForeignKey("members.id"))
    starts_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ends_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    note: Mapped[str] = mapped_column(Text)
