"""Shapes of orders on the wire."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, NearDay, PageQuery, View
from crm_customer.customers.views import Named
from crm_customer.money import Amount, Currency, CurrencyField, Digits
from crm_customer.orders.rules import MOST_LINES, Status
from crm_customer.paging import RangeEnd

_Quantity = Annotated[Decimal, Digits("quantity_invalid", 8, 3, positive=True)]
_Price = Annotated[Decimal, Digits("price_invalid", 10, 4)]
_Remark = Annotated[str, Field(max_length=500)]
Note = Annotated[str, Field(max_length=500, description="why; a completed order is not cancelled without")]


class LineBody(Body):
    """One product. Price and amount give each other; without either it is the product's list price in its currency (L-22)."""

    product_id: UUID | None = None
    name: str = Field(default="", max_length=100, description="default: the product's")
    unit: str | None = Field(default=None, max_length=20, description="default: the product's")
    quantity: _Quantity
    price: _Price | None = Field(default=None, description="a unit, at most 4 decimals; may differ from the product's")
    amount: Amount | None = None


_Lines = Annotated[list[LineBody], Field(max_length=MOST_LINES)]
_AGREED = "成交金额, where it is agreed otherwise than the sum of the lines; null: their sum"


class NewOrder(Body):
    """An order (新增订单, L-19)."""

    customer_id: UUID
    opportunity_id: UUID | None = Field(default=None, description="one of the customer's that is not lost")
    status: Literal["draft", "confirmed"] = "draft"
    deal_on: NearDay | None = Field(default=None, description="成交时间, a day not in the future; default: today")
    member_id: UUID | None = Field(default=None, description="成交员工; default: the caller")
    currency: Currency | None = Field(default=None, description="ISO 4217; default: the opportunity's, else CNY (L-27)")
    lines: _Lines = []
    amount: Amount | None = Field(default=None, description=_AGREED)
    remark: _Remark | None = None


class OrderChange(Body):
    """What is left out stays. `lines` are replaced as a whole."""

    opportunity_id: UUID | None = None
    deal_on: NearDay = date.min
    member_id: UUID = UUID(int=0)
    currency: Currency = CurrencyField
    lines: _Lines = []
    amount: Amount | None = Field(default=None, description=_AGREED)
    remark: _Remark | None = None


class Cancellation(Body):
    """Why an order is cancelled."""

    note: Note = ""


class OrderLink(Body):
    """Which opportunity an order belongs to."""

    opportunity_id: UUID | None = Field(description="one of the customer's that is not lost; null: none")


class OrderSort(StrEnum):
    """In which order orders are listed."""

    NEWEST, OLDEST, LAST_DEAL, FIRST_DEAL = "-created_at", "created_at", "-deal_on", "deal_on"


class OrderQuery(PageQuery):
    """Which orders, combined with AND."""

    search: str = Field(default="", max_length=100, description="the order's number, or part of the customer's name")
    status: Status | None = None
    customer_id: UUID | None = None
    opportunity_id: UUID | None = None
    member_id: UUID | None = Field(default=None, description="成交员工")
    owner_id: UUID | None = Field(default=None, description="负责人")
    deal_from: NearDay | None = None
    deal_to: Annotated[NearDay | None, RangeEnd] = Field(default=None, description="inclusive")
    currency: Currency | None = None
    amount_from: Amount | None = None
    amount_to: Annotated[Amount | None, RangeEnd] = None
    deleted: bool = Field(default=False, description="those in the recycle bin")
    sort: OrderSort = OrderSort.NEWEST


class LineView(View):
    """One product as it was sold."""

    product_id: UUID | None
    name: str
    unit: str | None
    quantity: Decimal
    price: Decimal
    amount: Decimal


class OrderView(View):
    """An order in a list. `amount_agreed`: it is not the sum of the lines; `paid`: what came in for it so far."""

    id: UUID
    version: int
    number: int
    status: Status
    customer: Named
    opportunity: Named | None
    deal_on: date
    currency: str
    amount: Decimal
    amount_agreed: bool
    paid: Decimal
    member: Named
    owner: Named | None
    remark: str | None
    completed_at: datetime | None
    cancelled_at: datetime | None
    cancel_note: str | None
    created_by: Named
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class OrderDetail(OrderView):
    """An order with its lines."""

    lines: list[LineView]


class OpenOpportunity(View):
    """An opportunity that an order can be linked to."""

    id: UUID
    number: int
    name: str
    stage: str
    amount: Decimal | None
    currency: str


class CompletedOrder(OrderDetail):
    """An order just completed. `suggest_opportunity`: it belongs to none (建议关联, L-11); `open_opportunities` are the
    customer's, the newest 20, to link it to.
    """

    suggest_opportunity: bool
    open_opportunities: list[OpenOpportunity]
