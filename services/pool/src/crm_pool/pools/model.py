"""Pools (客户池) and the organisation's limit on holding customers."""

from collections.abc import Mapping, Sequence
from datetime import datetime, time
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
    Time,
    Uuid,
    false,
    func,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from chassis.errors import Conflict
from crm.pool.v1 import pool_events_pb2 as pb
from crm_pool.database import Base, Changes, take_over
from crm_pool.pools.rules import HIDDEN_BY_DEFAULT, PoolKind
from directory.scope import Belonging, Scope

_HIDDEN_BY_DEFAULT = "{" + ",".join(HIDDEN_BY_DEFAULT) + "}"


class Pool(Base):
    """A place where customers lie without an owner.

    Open to everybody, or to the members, departments and roles listed; `admin_ids` (公海管理员) run it and do not belong
    to it by that. `daily_claim_quota`: claims a member may make here in one of the organisation's days, None: no limit
    (C-38). `cool_down_days`: days before somebody may claim again what they lost, 0: none (C-43). `freeze_days`: days for
    which what has just come in is not claimed, 0: none. `hidden_fields` are masked before the claim, `daily_reveals` of them
    may be looked at a day, 0: none, None: no limit. `priority`: of several pools whose rules apply the highest counts.
    `cascade_after_days` unclaimed, a customer goes on to `cascade_pool_id`. A deleted pool stays as a row so that history
    can name it.
    """

    __tablename__ = "pools"
    __table_args__ = (
        CheckConstraint("kind IN ('public', 'prospect', 'to_be_assigned')", name="kind"),
        CheckConstraint("daily_claim_quota > 0", name="daily_claim_quota"),
        CheckConstraint("cool_down_days >= 0", name="cool_down_days"),
        CheckConstraint("daily_reveals >= 0", name="daily_reveals"),
        CheckConstraint("freeze_days >= 0", name="freeze_days"),
        CheckConstraint(
            "num_nonnulls(cascade_pool_id, cascade_after_days) <> 1 AND cascade_after_days > 0", name="cascade"
        ),
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
    role_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default="{}", default=list)
    admin_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default="{}", default=list)
    hidden_fields: Mapped[list[str]] = mapped_column(
        ARRAY(Text), server_default=_HIDDEN_BY_DEFAULT, default=lambda: [*HIDDEN_BY_DEFAULT]
    )
    daily_reveals: Mapped[int | None] = mapped_column(Integer)
    daily_claim_quota: Mapped[int | None] = mapped_column(Integer)
    cool_down_days: Mapped[int] = mapped_column(Integer)
    freeze_days: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    priority: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    cascade_pool_id: Mapped[UUID | None]
    cascade_after_days: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    @property
    def pool_kind(self) -> PoolKind:
        """Its kind."""
        return PoolKind(self.kind)

    def admits(self, member: Belonging) -> bool:
        """Whether the member belongs to the pool: may claim from it, and is governed by its rule."""
        return member.belongs_to_pool(
            open_to_all=self.open_to_all,
            member_ids=self.member_ids,
            department_ids=self.department_ids,
            role_ids=self.role_ids,
        )

    def run_by(self, scope: Scope) -> bool:
        """Whether the member is one of its administrators (decision 0025)."""
        return scope.member_id in self.admin_ids

    def seen_by(self, scope: Scope) -> bool:
        """Whether the member sees the pool and what lies in it (C-10, C-14).

        Prospects are not for sales either (C.3): they need the same right as customers to be assigned.
        """
        return scope.sees_pool(
            to_be_assigned=self.pool_kind is not PoolKind.PUBLIC,
            open_to_all=self.open_to_all,
            member_ids=self.member_ids,
            department_ids=self.department_ids,
            role_ids=self.role_ids,
            admin_ids=self.admin_ids,
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
            role_ids=[str(id_) for id_ in self.role_ids],
            admin_ids=[str(id_) for id_ in self.admin_ids],
            hidden_fields=self.hidden_fields,
            daily_reveals=self.daily_reveals,
        )

    def change(self, values: Mapping[str, Any], at: datetime) -> Changes | None:
        """Take over `values`; returns what changed as (before, after), None when nothing did."""
        changed = take_over(self, values)
        if changed:
            self.version += 1
            self.updated_at = at
        return changed

    def delete(self, customers: int, feeding: Sequence[str], at: datetime) -> None:
        """Close the pool for good.

        Raises Conflict default_pool, pool_not_empty while `customers` lie in it, or pool_is_target while those pools named
        in `feeding` put customers into it by themselves.
        """
        if self.is_default:
            raise Conflict("default_pool")
        if customers:
            raise Conflict("pool_not_empty", customers=customers)
        if feeding:
            raise Conflict("pool_is_target", pools="、".join(feeding))
        self.version += 1
        self.updated_at = self.deleted_at = at


class PoolSettings(Base):
    """What holds for all pools; one row, id 1.

    `holding_cap`: most customers a member may own unless a cap of their own or of their department says otherwise, None: no
    limit (C-38); `cap_counts_won`: whether won ones count. `reason_required`: a release names its reason. `recycle_at`: the
    organisation's time of day at which runs begin. `warning_days`: how soon at the earliest a change that the owner did not
    cause lets customers expire. `reminder_days`: owners are reminded so many days before, managers from
    `manager_from_days` on. `most_extensions`, of at most `most_extension_days` each, for a customer and owner.
    """

    __tablename__ = "pool_settings"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"), CheckConstraint("holding_cap > 0", name="holding_cap"))

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(BigInteger)
    holding_cap: Mapped[int | None] = mapped_column(Integer)
    cap_counts_won: Mapped[bool] = mapped_column(server_default=true())
    reason_required: Mapped[bool] = mapped_column(server_default=false())
    recycle_at: Mapped[time] = mapped_column(Time, server_default="00:30")
    warning_days: Mapped[int] = mapped_column(Integer, server_default="3")
    reminder_days: Mapped[list[int]] = mapped_column(ARRAY(Integer), server_default="{7,3,0}")
    manager_from_days: Mapped[int] = mapped_column(Integer, server_default="3")
    most_extensions: Mapped[int] = mapped_column(Integer, server_default="1")
    most_extension_days: Mapped[int] = mapped_column(Integer, server_default="30")

    def change(self, values: Mapping[str, Any]) -> Changes | None:
        """Take over `values`; returns what changed as (before, after), None when nothing did."""
        changed = take_over(self, values)
        if changed:
            self.version += 1
        return changed
