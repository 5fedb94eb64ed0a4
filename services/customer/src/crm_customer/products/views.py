"""Shapes of products on the wire."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, PageQuery, View
from crm_customer.money import Amount, Currency, CurrencyField

Name = Annotated[str, Field(min_length=1, max_length=100)]
Code = Annotated[str, Field(max_length=50, description="商品编码, of one product alone; null or empty: none")]
Unit = Annotated[str, Field(max_length=20, description="计量单位; null or empty: none")]


class NewProduct(Body):
    """A product with its list price (标准单价)."""

    name: Name
    code: Code | None = None
    unit: Unit | None = None
    price: Amount
    currency: Currency = CurrencyField
    active: bool = True


class ProductChange(Body):
    """What is left out stays. Orders keep the name, unit and price they were made with."""

    name: Name = ""
    code: Code | None = None
    unit: Unit | None = None
    price: Amount = Decimal(0)
    currency: Currency = CurrencyField
    active: bool = True


class ProductQuery(PageQuery):
    """Which products, by name."""

    search: str = Field(default="", max_length=100, description="part of the name or the code")
    active: bool | None = Field(default=None, description="only those that are offered, or no longer")


class ProductView(View):
    """A product."""

    id: UUID
    version: int
    code: str | None
    name: str
    unit: str | None
    price: Decimal
    currency: str
    active: bool
    created_at: datetime
    updated_at: datetime
