"""How many customers somebody may own (库容)."""

from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from crm_pool.database import Base


class HoldingCap(Base):
    """The cap of a member, or of everybody in a department and below; the most specific one counts, then the settings'."""

    __tablename__ = "holding_caps"
    __table_args__ = (
        UniqueConstraint("member_id", name="uq_holding_caps_member_id"),
        UniqueConstraint("department_id", name="uq_holding_caps_department_id"),
        CheckConstraint("num_nonnulls(member_id, department_id) = 1", name="of_one"),
        CheckConstraint("cap >= 0", name="cap"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    cap: Mapped[int] = mapped_column(Integer)
    member_id: Mapped[UUID | None]
    department_id: Mapped[UUID | None]
