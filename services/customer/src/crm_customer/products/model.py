"""What is sold (商品)."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Index, Numeric, Text, text, true
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.database import Base, Versioned

FIELDS = ("code", "name", "unit", "price", "currency", "active")


class Product(Versioned, Base):
    """A product with its list price in `currency`; orders copy name, unit and price. Not `active`: no longer offered."""

    __tablename__ = "products"
    __table_args__ = (
        Index("uq_products_code", "code", unique=True, postgresql_where=text("deleted_at IS NULL")),
        Index("ix_products_name", "name", "id", postgresql_where=text("deleted_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    code: Mapped[str | None] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    unit: Mapped[str | None] = mapped_column(Text)
    price: Mapped[Decimal] = mapped_column(Numeric(14, 2))
    currency: Mapped[str] = mapped_column(Text)
    active: Mapped[bool] = mapped_column(server_default=true())
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    deleted_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))

    def values(self) -> dict[str, Any]:
        """What administrators fill in."""
        return {field: getattr(self, field) for field in FIELDS}
