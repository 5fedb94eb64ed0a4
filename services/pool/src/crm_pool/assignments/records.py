"""What is kept of changes of places: the history, bulk releases, and the ledger of claims."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, Date, DateTime, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from chassis.errors import Conflict
from crm_pool.assignments.rules import RELEASES, UNDO_WITHIN, Effects, FormerOwner, Place, Related
from crm_pool.database import Base

_RELEASED = "cause IN ({})".format(", ".join(f"'{cause.value}'" for cause in RELEASES))


class HistoryEntry(Base):
    """One change of an assignment: who, when, from where, to where, why (C-42, H-20). `actor_id` None: the system."""

    __tablename__ = "assignment_history"
    __table_args__ = (
        Index("ix_assignment_history_released", "batch_id", postgresql_where=text(_RELEASED)),
        *(
            Index(
                f"ix_assignment_history_{name}_at",
                name,
                "at",
                "customer_id",
                postgresql_where=text(f"{name} IS NOT NULL"),
            )
            for name in ("from_owner_id", "to_owner_id", "from_pool_id", "to_pool_id")
        ),
    )

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    actor_id: Mapped[UUID | None]
    cause: Mapped[str] = mapped_column(Text)
    from_owner_id: Mapped[UUID | None]
    from_pool_id: Mapped[UUID | None]
    to_owner_id: Mapped[UUID | None]
    to_pool_id: Mapped[UUID | None]
    batch_id: Mapped[UUID | None]
    # Its effects; a list that travels set-wise like every other column.
    following: Mapped[list[str] | None] = mapped_column(JSONB(none_as_null=True))
    former_owner: Mapped[str | None] = mapped_column(Text)
    undoes_version: Mapped[int | None] = mapped_column(BigInteger)
    # Of a release by hand: why, from the dictionary and in words; of recycling: the version of the rule.
    reason_id: Mapped[UUID | None]
    reason_note: Mapped[str | None] = mapped_column(Text)
    rule_id: Mapped[UUID | None]

    @property
    def previous(self) -> Place | None:
        """Where it lay before, None at birth."""
        is_birth = self.from_owner_id is None and self.from_pool_id is None
        return None if is_birth else Place(self.from_owner_id, self.from_pool_id)

    @property
    def to(self) -> Place:
        """Where it lay since."""
        return Place(self.to_owner_id, self.to_pool_id)

    @property
    def effects(self) -> Effects:
        """What it did beside it; nothing before effects were kept."""
        return Effects(
            None if self.following is None else tuple(map(Related, self.following)),
            FormerOwner(self.former_owner) if self.former_owner else None,
            self.undoes_version,
        )


# Entries that a release made. Written out, so that every plan knows the index.
WAS_RELEASED = text(f"assignment_history.{_RELEASED}")


class Release(Base):
    """批量回收: a batch that took several customers from their owners; `id` is its batch_id, `at` its end.

    `actor_id` None: the system. `owner_id`: the former owner if all had the same. `pool_id` None: all went to members. What it took is in the history. Its
    undo runs as the batch `undo_batch_id` and then says how many customers were `returned`, how many were not, and how
    many of those returned are above their owner's holding cap.
    """

    __tablename__ = "releases"
    __table_args__ = (Index("ix_releases_at", "at", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    cause: Mapped[str] = mapped_column(Text)
    actor_id: Mapped[UUID | None]
    owner_id: Mapped[UUID | None]
    pool_id: Mapped[UUID | None]
    customers: Mapped[int]
    skipped: Mapped[int]
    undo_batch_id: Mapped[UUID | None]
    undone_by: Mapped[UUID | None]
    undone_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    returned: Mapped[int | None]
    not_returned: Mapped[int | None]
    over_cap: Mapped[int | None]

    @property
    def undo_until(self) -> datetime:
        """Until when it can be undone."""
        return self.at + UNDO_WITHIN

    def require_undoable(self, at: datetime) -> None:
        """Raises Conflict already_undone, or undo_expired after 72 hours."""
        if self.undo_batch_id is not None:
            raise Conflict("already_undone")
        if at > self.undo_until:
            raise Conflict("undo_expired")

    def undo(self, batch_id: UUID, actor_id: UUID, at: datetime) -> None:
        """Its undo begins, once for all."""
        self.undo_batch_id, self.undone_by, self.undone_at = batch_id, actor_id, at

    def end_undo(self, *, returned: int, not_returned: int, over_cap: int) -> None:
        """Note what became of its customers."""
        self.returned, self.not_returned, self.over_cap = returned, not_returned, over_cap


class LedgerEntry(Base):
    """One claim that succeeded, on one of the organisation's days. Releasing refunds nothing.

    `first_touch_at` (UTC): the first qualifying touch while the claimer held the customer, as customer told of it; None: none.
    """

    __tablename__ = "claim_ledger"
    __table_args__ = (
        Index("ix_claim_ledger_member_id_day", "member_id", "day"),
        Index("ix_claim_ledger_pool_id_day", "pool_id", "day"),
    )

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    member_id: Mapped[UUID]
    pool_id: Mapped[UUID]
    day: Mapped[date] = mapped_column(Date)
    first_touch_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
