"""Bringing the days of customers into line with what applies now (design §3)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Index, Integer, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from crm_pool.database import Base


class Recompute(Base):
    """A walk over all customers with owners, in id order, `after_customer_id` being the last one seen.

    `cause`: rule, calendar, zone, department or pool. `rule_id`: the version that takes effect by it and does not recycle
    before it is done.
    """

    __tablename__ = "recomputes"
    __table_args__ = (Index("ix_recomputes_open", "at", postgresql_where=text("done_at IS NULL")),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    cause: Mapped[str] = mapped_column(Text)
    rule_id: Mapped[UUID | None]
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    after_customer_id: Mapped[UUID | None]
    changed: Mapped[int] = mapped_column(Integer)
    done_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
