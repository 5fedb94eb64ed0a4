"""Collaborators (协助人): who works on a customer beside its owner (H-05, H-09, H-14, decision 0021)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, false, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.database import Base


class Collaborator(Base):
    """A member who reads a customer, or also changes it.

    `until` None: until the customer goes to a pool.
    """

    __tablename__ = "collaborators"
    __table_args__ = (
        # Holds all that `Sight` asks of it.
        Index("ix_collaborators_member_id", "member_id", "customer_id", postgresql_include=["can_write", "until"]),
        Index("ix_collaborators_until", "until", postgresql_where=text("until IS NOT NULL")),
    )

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"), primary_key=True)
    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    can_write: Mapped[bool] = mapped_column(server_default=false())
    until: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    added_by: Mapped[UUID]
    added_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
