"""Who has been reminded of what expires (到期提醒)."""

from datetime import date
from uuid import UUID

from sqlalchemy import Date
from sqlalchemy.orm import Mapped, mapped_column

from crm_pool.database import Base


class ExpiryDigest(Base):
    """A member was sent the digest of a day."""

    __tablename__ = "expiry_digests"

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
