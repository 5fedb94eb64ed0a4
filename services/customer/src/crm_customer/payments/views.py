"""Shapes of receivables and payments on the wire."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, NearDay, PageQuery, View
from crm_customer.customers.views import Named
from crm_customer.money import PositiveAmount
from crm_customer.paging import RangeEnd

_Note = Annotated[str, Field(max_length=500)]


class NewReceivable(Body):
    """A part of an order's amount, and the day on which it is due (应收)."""

    due_on: NearDay
    amount: PositiveAmount
    note: _Note | None = None


class ReceivableChange(Body):
    """What is left out stays."""

    due_on: NearDay = date.min
    amount: PositiveAmount = Decimal(0)
    note: _Note | None = None


class NewPayment(Body):
    """Money that came in for an order (回款, L-25)."""

    paid_on: NearDay | None = Field(default=None, description="not in the future; default: today")
    amount: PositiveAmount
    note: _Note | None = None
    overpaid: bool = Field(default=False, description="also when it is more than is open")


class ReceivableView(View):
    """A receivable. `outstanding`: what payments leave of it, 0 unless its order is confirmed or completed."""

    id: UUID
    version: int
    due_on: date
    amount: Decimal
    outstanding: Decimal
    note: str | None
    created_at: datetime
    updated_at: datetime


class ReceivablesView(View):
    """What of an order is to be paid, what is due first before the rest. `paid`: all that came in for it."""

    items: list[ReceivableView]
    order_amount: Decimal
    paid: Decimal
    currency: str


class PaymentView(View):
    """A payment."""

    id: UUID
    paid_on: date
    amount: Decimal
    note: str | None
    created_by: Named
    created_at: datetime


class OutstandingQuery(PageQuery):
    """Which receivables that are not paid, combined with AND."""

    due_from: NearDay | None = None
    due_to: Annotated[NearDay | None, RangeEnd] = Field(default=None, description="inclusive")
    overdue: bool | None = Field(default=None, description="due before today, or not")
    owner_id: UUID | None = Field(default=None, description="the customer's owner (负责人)")


class OrderNumber(View):
    """An order."""

    id: UUID
    number: int


class OutstandingView(View):
    """A receivable that is not paid, of a customer that signed (签约客户, K-06). `overdue_days`: 0 until the day after."""

    id: UUID
    customer: Named
    owner: Named | None
    order: OrderNumber
    due_on: date
    overdue_days: int
    amount: Decimal
    outstanding: Decimal
    currency: str
