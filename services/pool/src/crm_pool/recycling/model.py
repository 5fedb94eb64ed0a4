"""Runs of the recycler (自动回收)."""

from collections.abc import Collection
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Date, DateTime, Identity, Integer, Text, UniqueConstraint, Uuid
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from chassis.errors import Conflict
from crm_pool.database import Base
from crm_pool.recycling.rules import Reason


class Run(Base):
    """The run of one of the organisation's days, which takes what expired before it; `number` is their order in fact.

    `state`: running; held (waits for a person because of `reasons`); finished; dropped (somebody refused it, or the next
    day's began meanwhile). `held_owner_ids`: whose customers wait although the others go: once these have gone, the run is
    held. `finished_at`: when it came to its end or was refused, None for one that the next day's overtook. `decided_by`
    confirmed or refused it.

    A run walks through what has expired in the order of `expires_on` and id, behind `after_expires_on` and
    `after_customer_id`; each confirmation begins another `walk`. `nominated`: customers that the breaker looked at, `taken`
    and `spared` (no longer expired when looked at again) so far. Each method is one act: it checks and changes.
    """

    __tablename__ = "recycling_runs"
    __table_args__ = (
        UniqueConstraint("number", name="uq_recycling_runs_number"),
        UniqueConstraint("day", name="uq_recycling_runs_day"),
        CheckConstraint("state IN ('running', 'held', 'finished', 'dropped')", name="state"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    day: Mapped[date] = mapped_column(Date)
    state: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    reasons: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    held_owner_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default="{}")
    decided_by: Mapped[UUID | None]
    decided_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    walk: Mapped[int] = mapped_column(Integer)
    after_expires_on: Mapped[date | None] = mapped_column(Date)
    after_customer_id: Mapped[UUID | None]
    nominated: Mapped[int] = mapped_column(Integer)
    taken: Mapped[int] = mapped_column(Integer)
    spared: Mapped[int] = mapped_column(Integer)

    @property
    def is_running(self) -> bool:
        """Whether it takes customers now."""
        return self.state == "running"

    @property
    def waits(self) -> bool:
        """Whether it, or what it would take of some owners, waits for a person."""
        return self.state == "held" or (self.is_running and bool(self.held_owner_ids))

    @property
    def waits_wholly(self) -> bool:
        """Whether all that has expired waits, not only what held owners lose."""
        return self.state == "held" and self.finished_at is None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be taken by it."""
        return self.state in ("finished", "dropped")

    @property
    def place(self) -> tuple[date, UUID] | None:
        """Behind which expiring customer it goes on; None: at the first."""
        if self.after_expires_on is None or self.after_customer_id is None:
            return None
        return self.after_expires_on, self.after_customer_id

    def hold(self, reasons: Collection[Reason], owner_ids: Collection[UUID]) -> None:
        """Wait for a person: the whole run, unless it is for the customers of `owner_ids` alone."""
        self.reasons = [*dict.fromkeys([*self.reasons, *(reason.value for reason in reasons)])]
        self.held_owner_ids = sorted({*self.held_owner_ids, *owner_ids})
        if set(reasons) - {Reason.OWNER_SHARE}:
            self.state = "held"

    def confirm(self, actor_id: UUID, owner_ids: Collection[UUID] | None, at: datetime) -> None:
        """Somebody entitled lets it go, of the owners held only `owner_ids` if given. It begins another walk.

        Raises Conflict run_not_held.
        """
        if not self.waits:
            raise Conflict("run_not_held")
        self.held_owner_ids = [] if owner_ids is None else [id_ for id_ in self.held_owner_ids if id_ not in owner_ids]
        self.decided_by, self.decided_at, self.finished_at = actor_id, at, None
        self.state, self.walk = "running", self.walk + 1
        self.after_expires_on = self.after_customer_id = None

    def drop(self, actor_id: UUID, at: datetime) -> None:
        """Somebody entitled refuses what it has not taken yet. Raises Conflict run_over."""
        if self.is_over:
            raise Conflict("run_over")
        self.decided_by, self.decided_at, self.finished_at = actor_id, at, at
        self.state = "dropped"

    def overtake(self) -> None:
        """The next day's run begins: what has not been taken is looked at by that one."""
        if not self.is_over:
            self.state = "dropped"

    def go_on(self, place: tuple[date, UUID], *, taken: int, spared: int) -> None:
        """Count a page; the next one begins behind `place`."""
        self.after_expires_on, self.after_customer_id = place
        self.taken += taken
        self.spared += spared

    def finish(self, at: datetime) -> None:
        """Nothing is left to take but what is held."""
        self.state = "held" if self.held_owner_ids else "finished"
        self.finished_at = at
