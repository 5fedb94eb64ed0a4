"""Pools (客户池) as this service knows them; `pool` owns them."""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, SmallInteger, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.database import Base

# What `pool` says of a pool; the columns besides `deleted`.
STATE = ("id", "version", "name", "kind", "open_to_all", "member_ids", "department_ids")


class Pool(Base):
    """One pool: who may see it, under which name. Written by the projection alone."""

    __tablename__ = "pools"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(Text)
    # crm.pool.v1.PoolKind.
    kind: Mapped[int] = mapped_column(SmallInteger)
    open_to_all: Mapped[bool]
    member_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    department_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    deleted: Mapped[bool]

    def state(self) -> dict[str, Any]:
        """The pool as its owner describes it."""
        return {name: getattr(self, name) for name in STATE}


class AssignmentEffect(Base):
    """What one version of an assignment changed on a record around the customer, so that its undo restores just that.

    `record`: contact, collaborator, star, lock. `before` and `after`: what was there and what then was; None: nothing.
    """

    __tablename__ = "assignment_effects"

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    record: Mapped[str] = mapped_column(Text, primary_key=True)
    record_id: Mapped[UUID] = mapped_column(primary_key=True)
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
