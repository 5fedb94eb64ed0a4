"""What makes customers expire: versions of the pools' rules (回收规则), and the time granted beyond (延期)."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Date, DateTime, Index, Integer, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from chassis.errors import Conflict
from crm_pool.database import Base, Changes, take_over
from crm_pool.expiry.rules import Condition, ConditionKind, Rule, RuleState


class RecycleRule(Base):
    """One version of a pool's rule; `number` counts the pool's versions from 1.

    `conditions`: [{kind, days, days_by_level}], see `rules.Condition`. `state`: draft (being written), shadow (only records what it would do),
    announced (takes effect on `effective_on`), active (one a pool), ended. `target_pool_id` None: into the pool itself.
    """

    __tablename__ = "recycle_rules"
    __table_args__ = (
        UniqueConstraint("pool_id", "number", name="uq_recycle_rules_pool_id_number"),
        CheckConstraint("state IN ('draft', 'shadow', 'announced', 'active', 'ended')", name="state"),
        Index("uq_recycle_rules_active", "pool_id", unique=True, postgresql_where=text("state = 'active'")),
        Index("uq_recycle_rules_announced", "pool_id", unique=True, postgresql_where=text("state = 'announced'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    pool_id: Mapped[UUID]
    number: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(Text)
    conditions: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    working_days: Mapped[bool]
    exempt_won: Mapped[bool]
    exempt_open_opportunity: Mapped[bool]
    target_pool_id: Mapped[UUID | None]
    effective_on: Mapped[date | None] = mapped_column(Date)
    created_by: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    announced_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    @property
    def rule(self) -> Rule:
        """What it says, as the clock reads it."""
        return Rule(
            id=self.id,
            pool_id=self.pool_id,
            number=self.number,
            conditions=tuple(
                Condition(ConditionKind(one["kind"]), one["days"], one.get("days_by_level", {}))
                for one in self.conditions
            ),
            working_days=self.working_days,
            exempt_won=self.exempt_won,
            exempt_open_opportunity=self.exempt_open_opportunity,
            target_pool_id=self.target_pool_id,
        )

    def change(self, values: Mapping[str, Any], at: datetime) -> Changes | None:
        """Take over `values`; returns what changed as (before, after), None when nothing did. Raises Conflict
        rule_not_draft.
        """
        self.require(RuleState.DRAFT)
        changed = take_over(self, values)
        if changed:
            self._touch(at)
        return changed

    def require(self, *states: RuleState) -> None:
        """Raises Conflict rule_not_<state> unless it is in one of the states, of which the first one names the error."""
        if self.state not in states:
            raise Conflict(f"rule_not_{states[0]}", state=self.state)

    def announce(self, effective_on: date, at: datetime) -> None:
        """It will take effect on that day. Raises Conflict rule_not_draft."""
        self.require(RuleState.DRAFT, RuleState.SHADOW)
        self.state, self.effective_on, self.announced_at = RuleState.ANNOUNCED.value, effective_on, at
        self._touch(at)

    def withdraw(self, at: datetime) -> None:
        """It will not: a draft again. Raises Conflict rule_not_announced."""
        self.require(RuleState.ANNOUNCED)
        self.state, self.effective_on, self.announced_at = RuleState.DRAFT.value, None, None
        self._touch(at)

    def shadow(self, at: datetime) -> None:
        """It records what it would take, and takes nothing. Raises Conflict rule_not_draft."""
        self.require(RuleState.DRAFT)
        self.state = RuleState.SHADOW.value
        self._touch(at)

    def take_effect(self, at: datetime) -> None:
        """Its day has come."""
        self.state = RuleState.ACTIVE.value
        self._touch(at)

    def end(self, at: datetime) -> None:
        """It acts no more, neither in the shadow nor in effect. Raises Conflict rule_not_active."""
        self.require(RuleState.ACTIVE, RuleState.SHADOW)
        self.state, self.ended_at = RuleState.ENDED.value, at
        self._touch(at)

    def _touch(self, at: datetime) -> None:
        self.version += 1
        self.updated_at = at


class Extension(Base):
    """延期: an owner asks for `days` more. A granted one counts while the same owner holds the customer since
    `held_since`; it does not move the clock.

    `state`: requested, granted, refused, withdrawn.
    """

    __tablename__ = "extensions"
    __table_args__ = (
        CheckConstraint("days > 0", name="days"),
        CheckConstraint("state IN ('requested', 'granted', 'refused', 'withdrawn')", name="state"),
        Index("uq_extensions_requested", "customer_id", unique=True, postgresql_where=text("state = 'requested'")),
        Index("ix_extensions_customer_id", "customer_id", "owner_id", "held_since"),
        Index("ix_extensions_owner_id", "owner_id", "requested_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    customer_id: Mapped[UUID]
    owner_id: Mapped[UUID]
    held_since: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    days: Mapped[int] = mapped_column(Integer)
    reason: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    requested_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    decided_by: Mapped[UUID | None]
    decided_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    note: Mapped[str | None] = mapped_column(Text)

    def decide(self, state: str, actor_id: UUID, at: datetime, note: str | None = None) -> None:
        """Let it be granted, refused or withdrawn, once. Raises Conflict already_decided."""
        if self.state != "requested":
            raise Conflict("already_decided", extra={"state": self.state})
        self.state, self.decided_by, self.decided_at, self.note = state, actor_id, at, note
        self.version += 1
