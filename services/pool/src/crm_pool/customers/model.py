"""Customers as this service knows them: facts owned by the customer service, kept by their version."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Integer, Text, false, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm_pool.database import Base


class Customer(Base):
    """One customer. `facts_version` 0: known from a placement alone, its facts have not arrived yet."""

    __tablename__ = "customers"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    facts_version: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(Text)
    created_by: Mapped[UUID | None]
    deleted: Mapped[bool]
    # 锁定: only its owner works on it; counts while the owner is active (decision 0021).
    locked: Mapped[bool] = mapped_column(server_default=false())
    wecom_friend: Mapped[bool] = mapped_column(server_default=false())
    level: Mapped[str] = mapped_column(Text, server_default="")
    # Texts of ids; a list that travels set-wise like every other column.
    collaborator_ids: Mapped[list[str]] = mapped_column(JSONB, server_default=text("'[]'"))
    # What the clock runs from (design §3), UTC, and what exempts from it.
    last_touch_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    won: Mapped[bool] = mapped_column(server_default=false())
    open_opportunities: Mapped[int] = mapped_column(Integer, server_default="0")
    last_opportunity_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_deal_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
