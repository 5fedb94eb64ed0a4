"""Where rows about to be created will lie (design §2.1): promised to an import before it writes them."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, DateTime, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from crm_pool.assignments.model import Assignment, Change
from crm_pool.assignments.rules import Cause, Place
from crm_pool.database import Base

# An uncommitted plan counts against caps this long; then its import is given up for dead.
KEPT = timedelta(days=7)


class PlacementPlan(Base):
    """The place planned for one customer until it lies there; `planned_at` (UTC) becomes its `held_since`, `expires_on` its
    day.
    """

    __tablename__ = "placement_plans"
    __table_args__ = (
        CheckConstraint("num_nonnulls(owner_id, pool_id) = 1", name="place"),
        Index("ix_placement_plans_open", "owner_id", postgresql_where=text("committed_at IS NULL")),
        Index("ix_placement_plans_customer_id", "customer_id"),
        Index("ix_placement_plans_planned_at", "planned_at"),
    )

    placement_id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    owner_id: Mapped[UUID | None]
    pool_id: Mapped[UUID | None]
    expires_on: Mapped[date | None] = mapped_column(Date)
    planned_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    # Of the release before, which kept what was committed.
    committed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


@dataclass(frozen=True, slots=True)
class Promise:
    """A row of a plan as it is read and made, thousands at a time: no record of the session."""

    customer_id: UUID
    name: str
    owner_id: UUID | None
    pool_id: UUID | None
    expires_on: date | None
    planned_at: datetime

    @property
    def home_pool_id(self) -> UUID | None:
        """The pool whose rule counts first."""
        return self.pool_id

    @property
    def held_since(self) -> datetime:
        """When its clock will start."""
        return self.planned_at

    @property
    def not_before(self) -> None:
        """Nothing keeps it from expiring."""

    def birth(self, *, suspended: bool = False) -> Change:
        """The birth that makes the plan true; `suspended`: the customer has been deleted meanwhile."""
        return Assignment.born(
            self.customer_id,
            Place(self.owner_id, self.pool_id),
            self.planned_at,
            Cause.IMPORT,
            suspended=suspended,
            expires_on=self.expires_on,
        )
