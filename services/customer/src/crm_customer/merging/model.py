"""Merges of customers (合并客户): what each moved, so that it can be undone (decision 0033)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.database import Base, Versioned


class Merge(Versioned, Base):
    """One to nine customers became a part of another. `before`: the survivor's values, by field, that the merge replaced;
    `after`: what it set; `left`: what its undo found changed since, and so left as it was.
    """

    __tablename__ = "merges"
    __table_args__ = (
        Index("ix_merges_survivor_id", "survivor_id", "merged_at", "id"),
        Index("ix_merges_merged_at", "merged_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    survivor_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"))
    merged_by: Mapped[UUID]
    merged_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    before: Mapped[dict[str, Any]] = mapped_column(JSONB)
    after: Mapped[dict[str, Any]] = mapped_column(JSONB)
    undone_by: Mapped[UUID | None]
    undone_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    left: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))


class MergeLoser(Base):
    """A customer that lost in a merge."""

    __tablename__ = "merge_losers"
    __table_args__ = (Index("ix_merge_losers_customer_id", "customer_id"),)

    merge_id: Mapped[UUID] = mapped_column(ForeignKey("merges.id"), primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"), primary_key=True)


class MergedRecord(Base):
    """A record that a merge moved from a loser to the survivor. `kind`: as in `children`; `record_id`: its id, of a link that
    of the other side; `kept`: a link as it was at the loser, of others what they lost on the way; `added`: whether the
    survivor got the link by it, else had the like.
    """

    __tablename__ = "merged_records"

    merge_id: Mapped[UUID] = mapped_column(ForeignKey("merges.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    from_id: Mapped[UUID] = mapped_column(primary_key=True)
    record_id: Mapped[UUID] = mapped_column(primary_key=True)
    kept: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    added: Mapped[bool]
