"""Opportunities (商机), and how they are won."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, Date, ForeignKey, Identity, Index, Numeric, Text, false, text, true
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.configuration import SettingsRow
from crm_customer.database import Base, Versioned
from crm_customer.opportunities.rules import CLOSED, WON

_ALIVE = text("deleted_at IS NULL")
_OPEN = text("closed_at IS NULL AND deleted_at IS NULL")


class Opportunity(Versioned, Base):
    """A chance to sell to a customer. `stage` is a key of the dictionary opportunity_stage: won and lost close it, every other
    one is open (X-28). `amount` in `currency`, with 2 digits; once won by orders the sum of the completed ones (L-10).

    `progress_at`: when its stage last moved or a follow-up about it was written. `lost_reason`: a key of that dictionary.
    `stage_before`: the stage it was closed from. `won_by_orders`: orders won it, so `amount` follows them; `amount_before`
    is what was expected.
    """

    __tablename__ = "opportunities"
    __table_args__ = (
        Index("uq_opportunities_number", "number", unique=True),
        Index("ix_opportunities_customer_id", "customer_id", "created_at", "id"),
        Index("ix_opportunities_contact_id", "contact_id"),
        Index("ix_opportunities_stage", "stage", "created_at", "id", postgresql_where=_ALIVE),
        Index("ix_opportunities_owner_id", "owner_id", "created_at", "id", postgresql_where=_ALIVE),
        Index("ix_opportunities_created_at", "created_at", "id", postgresql_where=_ALIVE),
        Index(
            "ix_opportunities_closed_at",
            "closed_at",
            "id",
            postgresql_where=text("closed_at IS NOT NULL AND deleted_at IS NULL"),
        ),
        Index("ix_opportunities_deleted_at", "deleted_at", "id", postgresql_where=text("deleted_at IS NOT NULL")),
        Index("ix_opportunities_expected_on", "expected_on", "id", postgresql_where=_ALIVE),
        Index(
            "ix_opportunities_amount",
            text("amount DESC NULLS LAST"),
            text("id DESC"),
            postgresql_where=_ALIVE,
        ),
        Index("ix_opportunities_grams", "grams", postgresql_using="gin"),
        Index("ix_opportunities_progress_at", "progress_at", "id", postgresql_where=_OPEN),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"))
    contact_id: Mapped[UUID | None] = mapped_column(ForeignKey("contacts.id"))
    name: Mapped[str] = mapped_column(Text)
    # Of the normalised name every two neighbouring characters, to be found by a part of it.
    grams: Mapped[list[str]] = mapped_column(ARRAY(Text))
    amount: Mapped[Decimal | None] = mapped_column(Numeric(14, 2))
    currency: Mapped[str] = mapped_column(Text)
    stage: Mapped[str] = mapped_column(Text)
    stage_before: Mapped[str | None] = mapped_column(Text)
    won_by_orders: Mapped[bool] = mapped_column(server_default=false())
    amount_before: Mapped[Decimal | None] = mapped_column(Numeric(14, 2))
    expected_on: Mapped[date | None] = mapped_column(Date)
    source: Mapped[str | None] = mapped_column(Text)
    channel: Mapped[str | None] = mapped_column(Text)
    heat: Mapped[str | None] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    owner_id: Mapped[UUID | None]
    lost_reason: Mapped[str | None] = mapped_column(Text)
    close_note: Mapped[str | None] = mapped_column(Text)
    progress_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    closed_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    created_by: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    deleted_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))

    def move(self, stage: str, now: datetime) -> None:
        """To another stage, which opens or closes it. What orders said of its amount is kept as it is."""
        if stage in CLOSED and self.stage not in CLOSED:
            self.stage_before = self.stage
        self.stage, self.won_by_orders = stage, False
        self.progress_at = now
        self.closed_at = now if stage in CLOSED else None
        self.touch(now)

    def follow(self, completed: Decimal, now: datetime) -> None:
        """Won by its completed orders, which are worth `completed` (L-08, L-10); `follow` again when that changes."""
        if not self.won_by_orders:
            self.amount_before = self.amount
            if self.stage != WON:
                self.stage_before, self.stage = self.stage, WON
                self.progress_at = self.closed_at = now
            self.won_by_orders = True
        self.amount = completed
        self.touch(now)

    def unwin(self, stage: str, now: datetime) -> None:
        """No completed order is left: back to the stage before, with the amount that was expected."""
        self.move(stage, now)
        self.amount, self.amount_before = self.amount_before, None


class OpportunitySettings(SettingsRow):
    """The one row: whether only a completed order wins an opportunity (限制手动切换成单, L-08)."""

    __tablename__ = "opportunity_settings"

    restrict_manual_won: Mapped[bool] = mapped_column(server_default=true())
