"""The collision desk (撞单, decision 0032)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.database import Base, Versioned

_OPEN = text("status = 'open'")


class Collision(Versioned, Base):
    """A member wants a part in a customer that is another's. `kind`: collaborate or dispute; `own_customer_id`: the record
    that the member has of the same company. `status`: open, granted, declined, withdrawn; `outcome` of one decided:
    keep, collaborate, give, merge.
    """

    __tablename__ = "collisions"
    __table_args__ = (
        Index("uq_collisions_open", "customer_id", "asked_by", unique=True, postgresql_where=_OPEN),
        Index("ix_collisions_asked_by", "asked_by", "asked_at", "id"),
        Index("ix_collisions_open", "asked_at", "id", postgresql_where=_OPEN),
        Index("ix_collisions_customer_id", "customer_id", "asked_at", "id"),
        Index("ix_collisions_own_customer_id", "own_customer_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"))
    own_customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("customers.id"))
    asked_by: Mapped[UUID]
    asked_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    reason: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default="open")
    outcome: Mapped[str | None] = mapped_column(Text)
    decided_by: Mapped[UUID | None]
    decided_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    note: Mapped[str | None] = mapped_column(Text)
