"""What was done with customers (活动记录)."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Date, ForeignKey, Index, Text, func, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.database import Base, Versioned

_ALIVE = text("deleted_at IS NULL")


class Activity(Versioned, Base):
    """One entry, by whom and when by the server's clock (UTC), which no edit moves.

    `kind`: follow_up (跟进, with a method), log (沟通日志, with a title) or remark (备注, to the activity `about_id` or to the
    customer). `method` is a key of the dictionary follow_up_method; `next_contact_on` the organisation's day that the author
    promised. `opportunity_id`: what it was about.
    """

    __tablename__ = "activities"
    __table_args__ = (
        Index("ix_activities_customer_id_at", "customer_id", "at", "id"),
        Index("ix_activities_about_id", "about_id"),
        Index("ix_activities_opportunity_id", "opportunity_id", "at"),
        Index("ix_activities_contact_id", "contact_id"),
        Index("ix_activities_member_id_at", "member_id", "at", "id", postgresql_where=_ALIVE),
        Index("ix_activities_at", "at", "id", postgresql_where=_ALIVE),
        Index(
            "ix_activities_promised",
            "customer_id",
            "next_contact_on",
            postgresql_where=text("next_contact_on IS NOT NULL"),
        ),
        Index(
            "ix_activities_next_contact_on",
            "next_contact_on",
            "member_id",
            postgresql_where=text("next_contact_on IS NOT NULL AND deleted_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"))
    kind: Mapped[str] = mapped_column(Text)
    member_id: Mapped[UUID]
    at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    method: Mapped[str | None] = mapped_column(Text)
    title: Mapped[str | None] = mapped_column(Text)
    content: Mapped[str] = mapped_column(Text)
    next_contact_on: Mapped[date | None] = mapped_column(Date)
    contact_id: Mapped[UUID | None] = mapped_column(ForeignKey("contacts.id"))
    opportunity_id: Mapped[UUID | None] = mapped_column(ForeignKey("opportunities.id"))
    about_id: Mapped[UUID | None] = mapped_column(ForeignKey("activities.id"))
    updated_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True), server_default=func.now())
    deleted_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
