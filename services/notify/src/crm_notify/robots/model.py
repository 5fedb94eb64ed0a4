"""Robots in groups of 企业微信, 钉钉 and 飞书 that repeat notifications."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, CheckConstraint, DateTime, Index, LargeBinary, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from crm_notify.database import Base


class Robot(Base):
    """A group's robot; it repeats what members of `department_id` and below (None: of everybody) are told by the channel
    robot, unless a department further down has one of its own. Webhook and secret lie encrypted.
    """

    __tablename__ = "robots"
    __table_args__ = (
        CheckConstraint("vendor IN ('wecom', 'dingtalk', 'feishu')", name="vendor_known"),
        Index("ix_robots_department_id", "department_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    vendor: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    webhook: Mapped[bytes] = mapped_column(LargeBinary)
    secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    department_id: Mapped[UUID | None]
    active: Mapped[bool] = mapped_column(Boolean)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
