"""Customers (客户)."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    Index,
    Integer,
    SmallInteger,
    Text,
    TextClause,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.database import Base

# Fields of A.3 that a form or an import may fill, named as in REST.
FIELDS = (
    "name",
    "customer_type",
    "industry",
    "source",
    "company_nature",
    "postcode",
    "annual_turnover",
    "rating",
    "province",
    "city",
    "address_detail",
    "employee_count",
    "remark",
    "kind",
    "level",
    "stage",
    "intention",
    "status",
    "wechat_nickname",
)
_ALIVE = text("deleted_at IS NULL")
_DELETED = text("deleted_at IS NOT NULL")
_LEFT = text("owner_left AND deleted_at IS NULL")
_RECYCLED = text("recycled AND deleted_at IS NULL")
_WON = text("won AND deleted_at IS NULL")
_UNPLACED = text("assignment_version = 0")
_PLACES = ("owner_id", "owner_department_id", "pool_id")


def _walk(*columns: str, where: TextClause = _ALIVE) -> Index:
    """An index that serves pages of one place, or of all customers, in the order of a moment without a sort."""
    columns = (*columns, "id")
    return Index(f"ix_customers_{'_'.join(columns)}", *columns, postgresql_where=where)


class Customer(Base):
    """A customer, its place as `pool` last said it, and who made it.

    `version` and `updated_at` are the users'; `facts_version` counts what other services are told;
    `assignment_version` is pool's, 0 while the place is only the creator's wish (design §2.1, birth).
    """

    __tablename__ = "customers"
    __table_args__ = (
        CheckConstraint("rating BETWEEN 1 AND 3", "rating"),
        CheckConstraint("owner_id IS NULL OR pool_id IS NULL", "one_place"),
        *(_walk(*place, moment) for place in ((), *zip(_PLACES)) for moment in ("created_at", "updated_at")),
        *(_walk(place, "deleted_at", where=_DELETED) for place in _PLACES),
        Index("ix_customers_deleted_at", "deleted_at", "id", postgresql_where=_DELETED),
        Index("ix_customers_owner_left_created_at", "created_at", "id", postgresql_where=_LEFT),
        Index("ix_customers_owner_left_updated_at", "updated_at", "id", postgresql_where=_LEFT),
        Index("ix_customers_recycled_created_at", "pool_id", "created_at", "id", postgresql_where=_RECYCLED),
        Index("ix_customers_recycled_updated_at", "pool_id", "updated_at", "id", postgresql_where=_RECYCLED),
        *(
            Index("_".join(("ix_customers_won", *place, moment)), *place, moment, "id", postgresql_where=_WON)
            for place in ((), ("pool_id",))
            for moment in ("created_at", "updated_at")
        ),
        Index("ix_customers_effects_missed", "id", postgresql_where=text("effects_version < assignment_version")),
        Index("ix_customers_locked", "id", postgresql_where=text("locked_at IS NOT NULL")),
        Index("ix_customers_merged_into", "merged_into", postgresql_where=text("merged_into IS NOT NULL")),
        Index("ix_customers_unplaced", "id", postgresql_where=_UNPLACED),
        Index("ix_customers_unplaced_created_by", "created_by", "created_at", "id", postgresql_where=_UNPLACED),
        Index(
            "uq_customers_source",
            "source_job",
            "source_row",
            unique=True,
            postgresql_where=text("source_job IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    facts_version: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(Text)
    customer_type: Mapped[str | None] = mapped_column(Text)
    industry: Mapped[str | None] = mapped_column(Text)
    source: Mapped[str | None] = mapped_column(Text)
    company_nature: Mapped[str | None] = mapped_column(Text)
    postcode: Mapped[str | None] = mapped_column(Text)
    annual_turnover: Mapped[str | None] = mapped_column(Text)
    rating: Mapped[int | None] = mapped_column(SmallInteger)
    province: Mapped[str | None] = mapped_column(Text)
    city: Mapped[str | None] = mapped_column(Text)
    address_detail: Mapped[str | None] = mapped_column(Text)
    employee_count: Mapped[str | None] = mapped_column(Text)
    remark: Mapped[str | None] = mapped_column(Text)
    # an individual (个人) is named as its person.
    kind: Mapped[str] = mapped_column(Text, server_default="company")
    level: Mapped[str | None] = mapped_column(Text)
    stage: Mapped[str | None] = mapped_column(Text)
    intention: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str | None] = mapped_column(Text)
    wechat_nickname: Mapped[str | None] = mapped_column(Text)
    # Added as a WeCom friend (企微好友) by its owner or a collaborator: never deleted or put into a pool (C-27).
    wecom_friend: Mapped[bool] = mapped_column(server_default=false())
    # Values of custom fields by key, without empty ones (decision 0019).
    custom: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    # Only the owner reads and edits it since then (H-17), while the owner is active (decision 0021).
    locked_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    locked_by: Mapped[UUID | None]
    owner_id: Mapped[UUID | None]
    owner_department_id: Mapped[UUID | None]
    # The owner was deactivated, and nobody has taken the customer over yet (decision 0015).
    owner_left: Mapped[bool] = mapped_column(server_default=false())
    pool_id: Mapped[UUID | None]
    # It lies in a pool and has had an owner before: 再生客户 (C-40).
    recycled: Mapped[bool] = mapped_column(server_default=false())
    expires_on: Mapped[date | None] = mapped_column(Date)
    held_since: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    assignment_version: Mapped[int] = mapped_column(BigInteger)
    # Up to which version of the assignment its effects on other records are applied.
    effects_version: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    created_by: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    deleted_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    # The customer that this one has become a part of; deleted since then, and in no recycle bin (decision 0033).
    merged_into: Mapped[UUID | None]
    # Last follow-up by the owner or a collaborator, by the server's clock (design §3).
    last_touch_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    # What its opportunities and orders say (decision 0028): facts that pool is told of. `won`: an order is completed.
    won: Mapped[bool] = mapped_column(server_default=false())
    open_opportunities: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    last_opportunity_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    last_deal_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    # Import job and row in its file that made the customer: a redo finds its own rows again (D-44).
    source_job: Mapped[UUID | None]
    source_row: Mapped[int | None] = mapped_column(Integer)

    def values(self) -> dict[str, Any]:
        """What a person filled in."""
        return {field: getattr(self, field) for field in FIELDS}

    def change(self, values: Mapping[str, Any], custom: Mapping[str, Any]) -> None:
        """Take over `values` and those of custom fields, which are clean."""
        for field, value in values.items():
            setattr(self, field, value)
        self.custom = with_custom(self.custom, custom)

    def touch(self, now: datetime) -> None:
        """A user changed the customer or its primary contact."""
        self.version += 1
        self.facts_version += 1
        self.updated_at = now

    def take_touch(self, now: datetime) -> None:
        """Its owner or a collaborator followed it up (F-16): a fact that others are told of, no edit of the record."""
        self.last_touch_at = now
        self.facts_version += 1

    def take_facts(self, **facts: Any) -> bool:
        """Facts that its opportunities and orders say (decision 0028); whether any is new, so that others are to be told."""
        changed = any(getattr(self, name) != value for name, value in facts.items())
        for name, value in facts.items():
            setattr(self, name, value)
        self.facts_version += changed
        return changed

    def delete(self, now: datetime) -> None:
        """Into the recycle bin (A-70); `pool` suspends its place."""
        self.deleted_at = now
        self.touch(now)

    def restore(self, now: datetime) -> None:
        """Out of the recycle bin."""
        self.deleted_at = None
        self.touch(now)

    def merge_into(self, survivor_id: UUID, now: datetime) -> None:
        """It is a part of another one from now on (decision 0033)."""
        self.merged_into = survivor_id
        self.delete(now)

    def unmerge(self, now: datetime) -> None:
        """It is a customer of its own again."""
        self.merged_into = None
        self.restore(now)

    def locked_against(self, member_id: UUID) -> bool:
        """Whether another's lock hides it from a member (H-17): a lock counts while there is an active owner."""
        return self.locked_at is not None and not self.owner_left and self.owner_id not in (None, member_id)


def with_custom(present: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Values of custom fields as they are kept, after those `given`: without empty ones."""
    return {key: value for key, value in {**present, **given}.items() if value is not None}
