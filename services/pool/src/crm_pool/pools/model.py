"""Pools (客户池) and the organisation's limit on holding customers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Index,
    Integer,
    SmallInteger,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from chassis.errors import Conflict
from crm.pool.v1 import pool_events_pb2 as pb
from crm_pool.database import Base
from crm_pool.pools.rules import PoolKind
from directory.scope import Scope

Changes = tuple[dict[str, Any], dict[str, Any]]


class Pool(Base):
    """A place where customers lie without an owner.

    Open to everybody, or to the members and departments listed. `daily_claim_quota`: claims a member may make
    here in one of the organisation's days, None: no limit (C-38). `cool_down_days`: days before somebody may
    claim again what they lost, 0: none (C-43). A deleted pool stays as a row so that history can name it.
    """

    __tablename__ = "pools"
    __table_args__ = (
        CheckConstraint("kind IN ('public', 'prospect', 'to_be_assigned')", name="kind"),
        CheckConstraint("daily_claim_quota > 0", name="daily_claim_quota"),
        CheckConstraint("cool_down_days >= 0", name="cool_down_days"),
        Index("uq_pools_name", func.lower(text("name")), unique=True, postgresql_where=text("deleted_at IS NULL")),
        Index("uq_pools_default", "kind", unique=True, postgresql_where=text("is_default")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    is_default: Mapped[bool]
    open_to_all: Mapped[bool]
    member_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    department_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    daily_claim_quota: Mapped[int | None] = mapped_column(Integer)
    cool_down_days: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    @property
    def pool_kind(self) -> PoolKind:
        """Its kind."""
        return PoolKind(self.kind)

    def admits(self, scope: Scope) -> bool:
        """Whether the member belongs to the pool and so may claim from it."""
        return scope.belongs_to_pool(
            open_to_all=self.open_to_all, member_ids=self.member_ids, department_ids=self.department_ids
        )

    def seen_by(self, scope: Scope) -> bool:
        """Whether the member sees the pool and what lies in it (C-10, C-14).

        Prospects are not for sales either (C.3): they need the same right as customers to be assigned.
        """
        return scope.sees_pool(
            to_be_assigned=self.pool_kind is not PoolKind.PUBLIC,
            open_to_all=self.open_to_all,
            member_ids=self.member_ids,
            department_ids=self.department_ids,
        )

    def state(self) -> pb.Pool:
        """Its whole state, as other services read it."""
        return pb.Pool(
            id=str(self.id),
            version=self.version,
            name=self.name,
            kind=pb.PoolKind.Value(f"POOL_KIND_{self.kind.upper()}"),
            open_to_all=self.open_to_all,
            member_ids=[str(id_) for id_ in self.member_ids],
            department_ids=[str(id_) for id_ in self.department_ids],
        )

    def change(self, values: Mapping[str, Any], at: datetime) -> Changes | None:
        """Take over `values`; returns what changed as (before, after), None when nothing did."""
        changed = _take_over(self, values)
        if changed:
            self.version += 1
            self.updated_at = at
        return changed

    def delete(self, customers: int, at: datetime) -> None:
        """Close the pool for good. Raises Conflict default_pool, or pool_not_empty while `customers` lie in it."""
        if self.is_default:
            raise Conflict("default_pool")
        if customers:
            raise Conflict("pool_not_empty", customers=customers)
        self.version += 1
        self.updated_at = self.deleted_at = at


class PoolSettings(Base):
    """What holds for all pools; one row, id 1. `holding_cap`: most customers a member may own, None: no limit (C-38)."""

    __tablename__ = "pool_settings"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"), CheckConstraint("holding_cap > 0", name="holding_cap"))

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(BigInteger)
    holding_cap: Mapped[int | None] = mapped_column(Integer)

    def change(self, values: Mapping[str, Any]) -> Changes | None:
        """Take over `values`; returns what changed as (before, after), None when nothing did."""
        changed = _take_over(self, values)
        if changed:
            self.version += 1
        return changed


def _take_over(record: Base, values: Mapping[str, Any]) -> Changes | None:
    before = {field: getattr(record, field) for field, value in values.items() if getattr(record, field) != value}
    for field in before:
        setattr(record, field, values[field])
    return (before, {field: values[field] for field in before}) if before else None
