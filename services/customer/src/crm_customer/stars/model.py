"""Stars (重点关注): customers that a member watches (C-22 to C-25)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.database import Base


class Star(Base):
    """A member's star on a customer, in a colour of the palette."""

    __tablename__ = "stars"
    __table_args__ = (Index("ix_stars_customer_id", "customer_id"),)

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"), primary_key=True)
    color: Mapped[str] = mapped_column(Text)
    starred_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
