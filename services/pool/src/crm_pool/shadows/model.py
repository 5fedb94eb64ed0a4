"""How far versions in the shadow have looked through all customers."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Date, DateTime
from sqlalchemy.orm import Mapped, mapped_column

from crm_pool.database import Base


class ShadowWalk(Base):
    """A day's walk over all customers with owners, in id order, `after_customer_id` being the last one seen."""

    __tablename__ = "shadow_walks"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    after_customer_id: Mapped[UUID | None]
    done_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
