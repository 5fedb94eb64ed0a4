"""Finding duplicates in the whole base, in the background (数据清洗, decision 0032)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import REAL, ForeignKey, Index, Integer, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.database import Base, Versioned


class DuplicateScan(Versioned, Base):
    """One scan. `status`: keying, comparing, grouping, then finished, cancelled or failed; of `total` steps `done`, and
    where it goes on: `cursor`, the last customer or blocking key that is dealt with.
    """

    __tablename__ = "duplicate_scans"
    __table_args__ = (Index("ix_duplicate_scans_started_at", "started_at", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(Text)
    started_by: Mapped[UUID]
    started_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    cursor: Mapped[str] = mapped_column(Text, server_default="")
    customers: Mapped[int] = mapped_column(Integer, server_default="0")
    total: Mapped[int] = mapped_column(Integer, server_default="0")
    done: Mapped[int] = mapped_column(Integer, server_default="0")
    pairs: Mapped[int] = mapped_column(Integer, server_default="0")
    groups: Mapped[int] = mapped_column(Integer, server_default="0")


class ScanKey(Base):
    """A key that a customer shares with whoever may be the same company; kept while the scan compares."""

    __tablename__ = "duplicate_scan_keys"

    scan_id: Mapped[UUID] = mapped_column(ForeignKey("duplicate_scans.id"), primary_key=True)
    key: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)


class ScanPair(Base):
    """Two customers that a scan found likely to be one company; `first_id` < `second_id`."""

    __tablename__ = "duplicate_pairs"

    scan_id: Mapped[UUID] = mapped_column(ForeignKey("duplicate_scans.id"), primary_key=True)
    first_id: Mapped[UUID] = mapped_column(primary_key=True)
    second_id: Mapped[UUID] = mapped_column(primary_key=True)
    score: Mapped[float] = mapped_column(REAL)
    level: Mapped[str] = mapped_column(Text)
    reasons: Mapped[list[str]] = mapped_column(ARRAY(Text))


class DuplicateGroup(Versioned, Base):
    """Customers that are likely one company. `status`: open, merged, dismissed; `score`: of its best pair."""

    __tablename__ = "duplicate_groups"
    __table_args__ = (
        Index("ix_duplicate_groups_open", "score", "id", postgresql_where=text("status = 'open'")),
        Index("ix_duplicate_groups_scan_id", "scan_id", "score", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    scan_id: Mapped[UUID] = mapped_column(ForeignKey("duplicate_scans.id"))
    status: Mapped[str] = mapped_column(Text, server_default="open")
    score: Mapped[float] = mapped_column(REAL)
    decided_by: Mapped[UUID | None]
    decided_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))


class DuplicateGroupMember(Base):
    """A customer of a group, and the best of its pairs there."""

    __tablename__ = "duplicate_group_members"
    __table_args__ = (Index("ix_duplicate_group_members_customer_id", "customer_id"),)

    group_id: Mapped[UUID] = mapped_column(ForeignKey("duplicate_groups.id"), primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    score: Mapped[float] = mapped_column(REAL)
    reasons: Mapped[list[str]] = mapped_column(ARRAY(Text))


class DistinctPair(Base):
    """Somebody has said that these two are not one company; no scan lists them again. `first_id` < `second_id`."""

    __tablename__ = "distinct_pairs"
    __table_args__ = (Index("ix_distinct_pairs_second_id", "second_id"),)

    first_id: Mapped[UUID] = mapped_column(primary_key=True)
    second_id: Mapped[UUID] = mapped_column(primary_key=True)
    said_by: Mapped[UUID]
    said_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
