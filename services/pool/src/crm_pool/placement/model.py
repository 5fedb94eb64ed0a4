"""Where rows about to be created will lie (design §2.1): promised to an import before it writes them."""

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
    """The place planned for one customer; `planned_at` (UTC) becomes its `held_since`, `expires_on` its day."""

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
    committed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    @property
    def place(self) -> Place:
        """Where the customer will lie."""
        return Place(self.owner_id, self.pool_id)

    def birth(self, *, suspended: bool = False) -> Change:
        """The birth that makes the plan true; `suspended`: the customer has been deleted meanwhile."""
        return Assignment.born(
            self.customer_id,
            self.place,
            self.planned_at,
            Cause.IMPORT,
            suspended=suspended,
            expires_on=self.expires_on,
        )
