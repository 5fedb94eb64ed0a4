"""Orders (订单) with their lines, what of them is still to be paid (应收) and what was paid (回款)."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, Date, ForeignKey, Identity, Index, Numeric, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.database import Base, Versioned
from crm_customer.orders.rules import Status

_ALIVE = text("deleted_at IS NULL")


class Order(Versioned, Base):
    """A deal with a customer (L-19). `status`: draft, confirmed, completed, cancelled. `amount` in `currency` with 2 digits: the sum
    of its lines unless it was agreed otherwise (`amount_agreed`). `member_id` made the deal (成交员工), `owner_id` follows the customer's owner.
    """

    __tablename__ = "orders"
    __table_args__ = (
        Index("uq_orders_number", "number", unique=True),
        Index("ix_orders_customer_id", "customer_id", "deal_on", "id"),
        Index("ix_orders_opportunity_id", "opportunity_id"),
        Index("ix_orders_owner_id", "owner_id", "created_at", "id", postgresql_where=_ALIVE),
        Index("ix_orders_owner_id_deal_on", "owner_id", "deal_on", "id", postgresql_where=_ALIVE),
        Index("ix_orders_member_id", "member_id", "deal_on", "id", postgresql_where=_ALIVE),
        Index("ix_orders_status", "status", "created_at", "id", postgresql_where=_ALIVE),
        Index("ix_orders_created_at", "created_at", "id", postgresql_where=_ALIVE),
        Index("ix_orders_deal_on", "deal_on", "id", postgresql_where=_ALIVE),
        Index("ix_orders_deleted_at", "deleted_at", "id", postgresql_where=text("deleted_at IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"))
    opportunity_id: Mapped[UUID | None] = mapped_column(ForeignKey("opportunities.id"))
    status: Mapped[str] = mapped_column(Text)
    deal_on: Mapped[date] = mapped_column(Date)
    amount: Mapped[Decimal] = mapped_column(Numeric(14, 2))
    amount_agreed: Mapped[bool]
    currency: Mapped[str] = mapped_column(Text)
    remark: Mapped[str | None] = mapped_column(Text)
    member_id: Mapped[UUID]
    owner_id: Mapped[UUID | None]
    completed_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    cancelled_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    cancel_note: Mapped[str | None] = mapped_column(Text)
    created_by: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    deleted_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))

    @property
    def counts(self) -> bool:
        """Whether it is agreed: something of it may be due."""
        return self.deleted_at is None and self.status in (Status.CONFIRMED, Status.COMPLETED)

    def move(self, status: Status, note: str | None, now: datetime) -> None:
        """To another status; `note`: why it is cancelled."""
        self.status = status
        self.completed_at = now if status is Status.COMPLETED else None
        self.cancelled_at = now if status is Status.CANCELLED else None
        self.cancel_note = note if status is Status.CANCELLED else None
        self.touch(now)


class OrderLine(Base):
    """One product of an order, as it was sold: `price` a unit may differ from the list's (可修改单价); `amount` with 2 digits."""

    __tablename__ = "order_lines"
    __table_args__ = (Index("ix_order_lines_product_id", "product_id"),)

    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    position: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    product_id: Mapped[UUID | None] = mapped_column(ForeignKey("products.id"))
    name: Mapped[str] = mapped_column(Text)
    unit: Mapped[str | None] = mapped_column(Text)
    quantity: Mapped[Decimal] = mapped_column(Numeric(14, 3))
    price: Mapped[Decimal] = mapped_column(Numeric(14, 4))
    amount: Mapped[Decimal] = mapped_column(Numeric(14, 2))


class Receivable(Versioned, Base):
    """A part of an order's amount that is to be paid by a day (应收). `outstanding`: what of it no payment covers yet, 0 while
    its order is not confirmed, cancelled or deleted; kept under the order's lock.
    """

    __tablename__ = "receivables"
    __table_args__ = (
        Index("ix_receivables_order_id", "order_id", "due_on"),
        Index("ix_receivables_due_on", "due_on", "id", postgresql_where=text("outstanding > 0")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"))
    due_on: Mapped[date] = mapped_column(Date)
    amount: Mapped[Decimal] = mapped_column(Numeric(14, 2))
    outstanding: Mapped[Decimal] = mapped_column(Numeric(14, 2))
    note: Mapped[str | None] = mapped_column(Text)
    created_by: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    deleted_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))


class Payment(Base):
    """Money that came in for an order (回款, L-25); it pays the receivables that are due first."""

    __tablename__ = "payments"
    __table_args__ = (Index("ix_payments_order_id", "order_id", "paid_on"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"))
    paid_on: Mapped[date] = mapped_column(Date)
    amount: Mapped[Decimal] = mapped_column(Numeric(14, 2))
    note: Mapped[str | None] = mapped_column(Text)
    created_by: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    deleted_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
