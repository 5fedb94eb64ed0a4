"""Pools (客户池) as this service knows them; `pool` owns them."""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Integer, SmallInteger, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.database import Base
from crm_customer.ownership.rules import HIDDEN_BY_DEFAULT

# What `pool` says of a pool; the columns besides `deleted`.
STATE = (
    "id",
    "version",
    "name",
    "kind",
    "open_to_all",
    "member_ids",
    "department_ids",
    "role_ids",
    "admin_ids",
    "hidden_fields",
    "daily_reveals",
)


class Pool(Base):
    """One pool: who may see it, under which name, and what it hides. Written by the projection alone.

    `hidden_fields`: as GET /fields names them; `daily_reveals`: looks at hidden contacts a member and day, None: no limit.
    """

    __tablename__ = "pools"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(Text)
    # crm.pool.v1.PoolKind.
    kind: Mapped[int] = mapped_column(SmallInteger)
    open_to_all: Mapped[bool]
    member_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    department_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    role_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default="{}")
    admin_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default="{}")
    hidden_fields: Mapped[list[str]] = mapped_column(
        ARRAY(Text), server_default="{" + ",".join(HIDDEN_BY_DEFAULT) + "}"
    )
    daily_reveals: Mapped[int | None] = mapped_column(Integer, server_default="0")
    deleted: Mapped[bool]

    def state(self) -> dict[str, Any]:
        """The pool as its owner describes it."""
        return {name: getattr(self, name) for name in STATE}
