"""Bringing the days of customers into line with what applies now (design §3), and what shadow versions would have taken."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Date, DateTime, Index, Integer, Text, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm_pool.database import Base


class Recompute(Base):
    """A walk over all customers with owners, or those of `owner_ids`, in id order; `after_customer_id`: the last one seen.

    `basis`: what days depended on when it began, as `queries.basis` says, by kind; `causes`: the kinds that had changed since
    the walk before. `rule_ids`: the versions then active; they recycle once it is done. `changed`: customers that got
    another day.
    """

    __tablename__ = "recomputes"
    __table_args__ = (Index("ix_recomputes_open", "at", postgresql_where=text("done_at IS NULL")),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    causes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    rule_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    owner_ids: Mapped[list[UUID] | None] = mapped_column(ARRAY(Uuid))
    basis: Mapped[dict[str, Any]] = mapped_column(JSONB)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    after_customer_id: Mapped[UUID | None]
    examined: Mapped[int] = mapped_column(Integer)
    changed: Mapped[int] = mapped_column(Integer)
    done_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    def pass_by(self, customer_ids: Sequence[UUID], changed: int) -> None:
        """These customers, in id order, are done."""
        self.after_customer_id = customer_ids[-1] if customer_ids else self.after_customer_id
        self.examined += len(customer_ids)
        self.changed += changed


class JudgedMember(Base):
    """`digest`: what days of a member's customers depended on when the last recompute began, of what is the member's."""

    __tablename__ = "judged_members"

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(Text)


class ShadowDecision(Base):
    """A customer that a shadow version would have taken on a day; only once for each last day that it had."""

    __tablename__ = "shadow_decisions"
    __table_args__ = (
        UniqueConstraint("rule_id", "customer_id", "expires_on", name="uq_shadow_decisions_rule_id"),
        Index("ix_shadow_decisions_day", "day"),
    )

    rule_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID]
    expires_on: Mapped[date] = mapped_column(Date)
