"""How members like their lists: saved filters (常用筛选) and columns (列设置)."""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, SmallInteger, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.database import Base


class SavedFilter(Base):
    """A filter that a member has named, on one page (I-07, I-10). `filter` as in GET /customers."""

    __tablename__ = "saved_filters"
    __table_args__ = (UniqueConstraint("member_id", "page", "name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    member_id: Mapped[UUID]
    page: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    filter: Mapped[dict[str, Any]] = mapped_column(JSONB)
    position: Mapped[int] = mapped_column(SmallInteger)

    def state(self) -> dict[str, Any]:
        """What its member can change."""
        return {"name": self.name, "filter": self.filter, "position": self.position}


class ColumnLayout(Base):
    """Which columns a member sees on a page, in order (I-11, I-12)."""

    __tablename__ = "column_layouts"

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    page: Mapped[str] = mapped_column(Text, primary_key=True)
    columns: Mapped[list[str]] = mapped_column(ARRAY(Text))
