"""Rehearsals of a rule (试运行): who would lose what, were it in effect."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, Date, DateTime, Index, Integer, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from crm_pool.database import Base


class Rehearsal(Base):
    """One rehearsal of version `rule_version` of a rule as of `day`; walks the customers as a Recompute does.

    `announces`: the rule was announced, and its owners are told of what this finds (`RecycleRuleAnnounced`).
    """

    __tablename__ = "rehearsals"
    __table_args__ = (
        Index("ix_rehearsals_open", "at", postgresql_where=text("done_at IS NULL")),
        Index("ix_rehearsals_rule_id", "rule_id", "at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    rule_id: Mapped[UUID]
    rule_version: Mapped[int] = mapped_column(BigInteger)
    day: Mapped[date] = mapped_column(Date)
    announces: Mapped[bool]
    actor_id: Mapped[UUID]
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    after_customer_id: Mapped[UUID | None]
    examined: Mapped[int] = mapped_column(Integer)
    done_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class RehearsedCustomer(Base):
    """A customer that would expire by the rule within 30 days of the rehearsal's day.

    `warned`: only the warning days keep it from expiring sooner.
    """

    __tablename__ = "rehearsed_customers"
    __table_args__ = (Index("ix_rehearsed_customers_expires_on", "rehearsal_id", "expires_on"),)

    rehearsal_id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID]
    department_id: Mapped[UUID | None]
    level: Mapped[str] = mapped_column(Text)
    expires_on: Mapped[date] = mapped_column(Date)
    warned: Mapped[bool]


class RehearsedOwner(Base):
    """How many of an owner's customers would expire earlier than they do now, however late."""

    __tablename__ = "rehearsed_owners"

    rehearsal_id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    earlier: Mapped[int] = mapped_column(Integer)
