"""Where rows about to be created will lie (design §2.1): promised to an import before it writes them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Date, DateTime, Index, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from crm.pool.v1.pool_events_pb2 import AssignmentState
from crm_pool.assignments.model import common_state
from crm_pool.assignments.rules import Place
from crm_pool.database import Base

# A plan counts against caps this long; then its import is given up for dead.
KEPT = timedelta(days=7)


class PlannedPlace(Base):
    """A place that a plan gives to `customer_ids`, which do not lie there yet: a plan has one row a place and day.

    `planned_at` (UTC) becomes their `held_since`, `expires_on` their day. `open`: counted against caps, and its pool stays; no
    more once rows of the plan have been created, for then whoever is left comes at once or never.
    """

    __tablename__ = "planned_places"
    __table_args__ = (
        CheckConstraint("num_nonnulls(owner_id, pool_id) = 1", name="place"),
        Index("ix_planned_places_placement_id", "placement_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    placement_id: Mapped[UUID]
    owner_id: Mapped[UUID | None]
    pool_id: Mapped[UUID | None]
    expires_on: Mapped[date | None] = mapped_column(Date)
    planned_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    customer_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    open: Mapped[bool]

    @property
    def promise(self) -> "Promise":
        """What it promises to each of its customers."""
        return Promise(Place(self.owner_id, self.pool_id), self.planned_at, self.expires_on)

    def strike(self, customer_ids: Collection[UUID]) -> bool:
        """Promise nothing to these any more. Whether nobody is left."""
        left = [id_ for id_ in self.customer_ids if id_ not in customer_ids]
        if len(left) < len(self.customer_ids):
            self.customer_ids = left
        return not left


@dataclass(frozen=True, slots=True)
class Promise:
    """Where a customer will lie, since when (UTC), and the day on which it expires there."""

    place: Place
    since: datetime
    expires_on: date | None

    def state(self) -> AssignmentState:
        """How its customers will be born: the state that they have in common, with the first version."""
        state = common_state(self.place, self.since, self.expires_on, had_owner=self.place.owner_id is not None)
        state.version = 1
        return state


# Of the release before, which writes here while it is being replaced; a later release drops it, and what reads it.
OLD_PLANS = Table(
    "placement_plans",
    Base.metadata,
    Column("placement_id", Uuid, primary_key=True),
    Column("customer_id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("owner_id", Uuid),
    Column("pool_id", Uuid),
    Column("expires_on", Date),
    Column("planned_at", DateTime(timezone=True), nullable=False),
    Column("committed_at", DateTime(timezone=True)),
    CheckConstraint("num_nonnulls(owner_id, pool_id) = 1", name="place"),
    Index("ix_placement_plans_open", "owner_id", postgresql_where=text("committed_at IS NULL")),
    Index("ix_placement_plans_customer_id", "customer_id"),
    Index("ix_placement_plans_planned_at", "planned_at"),
)
