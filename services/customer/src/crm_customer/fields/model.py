"""Custom fields (自定义字段) that administrators define (A-83, decision 0019)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, SmallInteger, Text, Uuid, false
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.database import Base
from crm_customer.fields.rules import Choice, Field, Kind

# What an administrator decides; the kind for good.
SETTINGS = ("label_zh", "label_en", "required", "options", "role_ids", "filterable", "position")


class CustomField(Base):
    """One field. Customers keep its value in `custom` under `key`, which never changes.

    `options`: of choices, [{"key", "zh", "en", "active"}]; `role_ids`: who sees it, none: everybody; `indexed`: the index
    that `filterable` asks for is there; `deleted_at`: hidden since, for 30 days; `cleared_to`: up to which customer its
    values are gone after that.
    """

    __tablename__ = "custom_fields"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(Text, unique=True)
    version: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(Text)
    label_zh: Mapped[str] = mapped_column(Text)
    label_en: Mapped[str] = mapped_column(Text)
    required: Mapped[bool] = mapped_column(server_default=false())
    filterable: Mapped[bool] = mapped_column(server_default=false())
    indexed: Mapped[bool] = mapped_column(server_default=false())
    options: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    role_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    position: Mapped[int] = mapped_column(SmallInteger)
    deleted_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    cleared_to: Mapped[UUID | None]

    @property
    def index(self) -> str:
        """State of the index: none, building or ready."""
        if not self.filterable:
            return "none"
        return "ready" if self.indexed else "building"

    def rule(self) -> Field:
        """As its values are checked."""
        return Field(self.key, Kind(self.kind), self.required, tuple(Choice(**option) for option in self.options))

    def state(self) -> dict[str, Any]:
        """What an administrator decides."""
        return {name: getattr(self, name) for name in SETTINGS}
