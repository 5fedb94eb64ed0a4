"""Rarely filled columns of a customer: those of the S0 data file (T-1) that no form shows at first (decision 0019)."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Integer, Numeric, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.contacts.model import email_domain, phone_digits
from crm_customer.database import Base
from crm_customer.profiles.rules import FIELDS, amount


class CustomerProfile(Base):
    """The extended columns of one customer; there is a row only where one of them is filled."""

    __tablename__ = "customer_profiles"
    __table_args__ = (
        Index("ix_customer_profiles_parent_customer_id", "parent_customer_id"),
        Index("ix_customer_profiles_credit_code", "credit_code", postgresql_where=text("credit_code IS NOT NULL")),
    )

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"), primary_key=True)
    website: Mapped[str | None] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text)
    non_primary_emails: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    phone_office: Mapped[str | None] = mapped_column(Text)
    phone_alternate: Mapped[str | None] = mapped_column(Text)
    fax: Mapped[str | None] = mapped_column(Text)
    billing_street: Mapped[str | None] = mapped_column(Text)
    billing_city: Mapped[str | None] = mapped_column(Text)
    billing_province: Mapped[str | None] = mapped_column(Text)
    billing_postcode: Mapped[str | None] = mapped_column(Text)
    billing_country: Mapped[str | None] = mapped_column(Text)
    shipping_street: Mapped[str | None] = mapped_column(Text)
    shipping_city: Mapped[str | None] = mapped_column(Text)
    shipping_province: Mapped[str | None] = mapped_column(Text)
    shipping_postcode: Mapped[str | None] = mapped_column(Text)
    shipping_country: Mapped[str | None] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    annual_revenue: Mapped[Decimal | None] = mapped_column(Numeric(18, 2))
    employees: Mapped[int | None] = mapped_column(Integer)
    sic_code: Mapped[str | None] = mapped_column(Text)
    ticker_symbol: Mapped[str | None] = mapped_column(Text)
    parent_customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("customers.id"))
    ownership: Mapped[str | None] = mapped_column(Text)
    campaign_id: Mapped[UUID | None]
    address: Mapped[str | None] = mapped_column(Text)
    geocode_status: Mapped[str | None] = mapped_column(Text)
    latitude: Mapped[Decimal | None] = mapped_column(Numeric(10, 8))
    longitude: Mapped[Decimal | None] = mapped_column(Numeric(11, 8))
    aliases: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    credit_code: Mapped[str | None] = mapped_column(Text)

    def values(self) -> dict[str, Any]:
        """All columns, clean as the rules leave them."""
        return {name: _clean(name, getattr(self, name)) for name in FIELDS}


def _clean(name: str, value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Decimal):
        return amount(value) if name == "annual_revenue" else f"{value:.8f}"
    return value


Index("ix_customer_profiles_domain", email_domain(CustomerProfile.email))
Index("ix_customer_profiles_phone_office", phone_digits(CustomerProfile.phone_office))
