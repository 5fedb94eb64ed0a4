"""Tasks (任务), and dispatches of one for each of many customers (下发任务)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, ForeignKey, Index, Integer, SmallInteger, Text, Uuid, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from crm_customer.database import Base

_ALIVE = text("deleted_at IS NULL")


class Dispatch(Base):
    """What one dispatch said (F-22): its id is its batch's. Each customer gets one task, its handler the next in turn."""

    __tablename__ = "task_dispatches"
    __table_args__ = (Index("ix_task_dispatches_created_by", "created_by", "created_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    priority: Mapped[str] = mapped_column(Text)
    due_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    remind_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    owner_id: Mapped[UUID]
    handler_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    customers: Mapped[int] = mapped_column(Integer)
    created_by: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))


class Task(Base):
    """Work that one member asks of another, mostly about a customer (F-20).

    `created_by` issued it (下发人), `owner_id` is responsible (任务所有者), `handler_id` does it (处理人). `kind`: call, visit,
    propagate, guide, follow_up, other; `priority`: low, normal, high; `status`: open, in_progress, done, ended; `progress`
    in percent. `reminded_at`: when the reminder of `remind_at` was sent.
    """

    __tablename__ = "tasks"
    __table_args__ = (
        Index("uq_tasks_dispatch", "dispatch_id", "customer_id", unique=True),
        Index("ix_tasks_customer_id", "customer_id", "created_at", "id"),
        *(
            Index(f"ix_tasks_{role}", role, "status", "due_at", "id", postgresql_where=_ALIVE)
            for role in ("handler_id", "owner_id", "created_by")
        ),
        Index(
            "ix_tasks_remind_at",
            "remind_at",
            postgresql_where=text(
                "remind_at IS NOT NULL AND reminded_at IS NULL AND closed_at IS NULL AND deleted_at IS NULL"
            ),
        ),
        Index(
            "ix_tasks_due_at",
            "due_at",
            postgresql_where=text("due_at IS NOT NULL AND closed_at IS NULL AND deleted_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, server_default="1")
    kind: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    priority: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    progress: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("customers.id"))
    dispatch_id: Mapped[UUID | None] = mapped_column(ForeignKey("task_dispatches.id"))
    owner_id: Mapped[UUID]
    handler_id: Mapped[UUID]
    created_by: Mapped[UUID]
    due_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    remind_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    reminded_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    closed_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    closed_by: Mapped[UUID | None]
    close_note: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    deleted_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
