"""What was done with customers (活动记录)."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Date, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.database import Base


class Activity(Base):
    """One entry, by whom and when by the server's clock (UTC). `kind` is follow_up; `method` a key of the dictionary
    follow_up_method; `next_contact_on` the organisation's day that the author promised.
    """

    __tablename__ = "activities"
    __table_args__ = (
        Index("ix_activities_customer_id_at", "customer_id", "at", "id"),
        Index(
            "ix_activities_promised",
            "customer_id",
            "next_contact_on",
            postgresql_where=text("next_contact_on IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"))
    kind: Mapped[str] = mapped_column(Text)
    member_id: Mapped[UUID]
    at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    method: Mapped[str] = mapped_column(Text)
    content: Mapped[str] = mapped_column(Text)
    next_contact_on: Mapped[date | None] = mapped_column(Date)
