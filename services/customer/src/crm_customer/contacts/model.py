"""Contacts (联系人): people at a customer, one of them its primary contact (首要联系人)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.database import Base

# Fields that a form or an import may fill, named as in REST below `contact`.
FIELDS = ("name", "salutation", "email", "position", "qq", "phone", "mobile", "remark")


class Contact(Base):
    """A person at a customer. At most one that is not deleted is primary."""

    __tablename__ = "contacts"
    __table_args__ = (
        Index(
            "uq_contacts_primary",
            "customer_id",
            unique=True,
            postgresql_where=text("is_primary AND deleted_at IS NULL"),
        ),
        Index("ix_contacts_mobile", "mobile", postgresql_where=text("mobile IS NOT NULL AND deleted_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"))
    is_primary: Mapped[bool]
    name: Mapped[str] = mapped_column(Text)
    salutation: Mapped[str | None] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text)
    position: Mapped[str | None] = mapped_column(Text)
    qq: Mapped[str | None] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(Text)
    # Compared byte by byte, so that the index also finds beginnings of numbers.
    mobile: Mapped[str | None] = mapped_column(Text(collation="C"))
    remark: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    deleted_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))

    def values(self) -> dict[str, Any]:
        """What a person filled in."""
        return {field: getattr(self, field) for field in FIELDS}

    def change(self, values: dict[str, Any], now: datetime) -> None:
        """Take over `values`, which are clean."""
        for field, value in values.items():
            setattr(self, field, value)
        self.updated_at = now
