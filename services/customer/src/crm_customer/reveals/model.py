"""Looks at hidden contacts (查看联系方式, decision 0025)."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Date, Index, false
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.database import Base


class Reveal(Base):
    """A member's first look, on one of the organisation's days, at a contact that a pool hides.

    `surged`: with this look the pool's administrators were told that there were unusually many.
    """

    __tablename__ = "reveals"
    __table_args__ = (Index("ix_reveals_member_id_at", "member_id", "pool_id", "at"), Index("ix_reveals_at", "at"))

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    pool_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    contact_id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    surged: Mapped[bool] = mapped_column(server_default=false())
