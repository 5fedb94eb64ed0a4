"""Rehearsals of a rule (试运行): who would lose what, were it in effect."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import BigInteger, Date, DateTime, Index, Integer, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from crm_pool.database import Base


class Rehearsal(Base):
    """One rehearsal of version `rule_version` of a rule, as if it took effect on `day`; walks the customers with owners in
    id order, `after_customer_id` being the last one seen.

    `announces`: the rule was announced, and its owners are told of what this finds (`RecycleRuleAnnounced`). `stopped`: the
    rule was changed, deleted or withdrawn before it was through.
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
    stopped: Mapped[bool]
    actor_id: Mapped[UUID]
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    after_customer_id: Mapped[UUID | None]
    examined: Mapped[int] = mapped_column(Integer)
    done_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    @property
    def state(self) -> Literal["running", "finished", "stopped"]:
        """How far it is."""
        if self.done_at is None:
            return "running"
        return "stopped" if self.stopped else "finished"

    def pass_by(self, customer_ids: Sequence[UUID]) -> None:
        """These customers, in id order, are done."""
        self.after_customer_id = customer_ids[-1] if customer_ids else self.after_customer_id
        self.examined += len(customer_ids)


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
    """An owner with customers that would expire by the rule; `earlier` of them earlier than they do now, however late."""

    __tablename__ = "rehearsed_owners"

    rehearsal_id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    earlier: Mapped[int] = mapped_column(Integer)
