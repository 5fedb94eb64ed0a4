"""Tasks (任务)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from chassis.errors import Conflict
from crm_customer.database import Base, Versioned
from crm_customer.tasks.rules import CLOSED, UNFINISHED, People, Status

_ALIVE = text("deleted_at IS NULL")


class Task(Versioned, Base):
    """Work that one member asks of another, mostly about a customer (F-20).

    `created_by` issued it (下发人), `owner_id` is responsible (任务所有者), `handler_id` does it (处理人). `kind`: call, visit,
    propagate, guide, follow_up, other; `priority`: low, normal, high; `status`: open, in_progress, done, ended; `progress`
    in percent, as the handler says it until it is done. `reminded_at`: when the reminder of `remind_at` was sent.
    """

    __tablename__ = "tasks"
    __table_args__ = (
        Index("uq_tasks_dispatch", "dispatch_id", "customer_id", unique=True),
        Index("ix_tasks_customer_id", "customer_id", "created_at", "id"),
        Index("ix_tasks_status", "status", "due_at", "id", postgresql_where=_ALIVE),
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
    deleted_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))

    @property
    def people(self) -> People:
        """Whose it is."""
        return People(self.created_by, self.owner_id, self.handler_id)

    @property
    def is_closed(self) -> bool:
        """Whether nothing is left to do."""
        return self.status in CLOSED

    def change(self, values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        """As every record; the first progress starts it, and a new moment is reminded of anew. Raises Conflict task_closed."""
        self._require_unfinished()
        before = super().change(values, now)
        if "remind_at" in before:
            self.reminded_at = None
        if self.progress:
            self.status = Status.IN_PROGRESS
        return before

    def start(self, now: datetime) -> bool:
        """Somebody is at it; whether that is new. Raises Conflict task_closed."""
        self._require_unfinished()
        if self.status == Status.IN_PROGRESS:
            return False
        self.status = Status.IN_PROGRESS
        self.touch(now)
        return True

    def complete(self, member_id: UUID, note: str | None, now: datetime) -> None:
        """It is done. Raises Conflict task_closed."""
        self._close(Status.DONE, member_id, note, now)

    def end(self, member_id: UUID, note: str | None, now: datetime) -> None:
        """It is not to be done any more (结束任务). Raises Conflict task_closed."""
        self._close(Status.ENDED, member_id, note, now)

    def reopen(self, now: datetime) -> None:
        """It was closed by mistake. Raises Conflict task_not_closed."""
        if not self.is_closed:
            raise Conflict("task_not_closed")
        self.status = Status.IN_PROGRESS if self.progress else Status.OPEN
        self.closed_at = self.closed_by = self.close_note = None
        self.touch(now)

    def delete(self, now: datetime) -> None:
        """Nobody sees it any more."""
        self.deleted_at = now
        self.touch(now)

    def _close(self, status: Status, member_id: UUID, note: str | None, now: datetime) -> None:
        self._require_unfinished()
        self.status, self.closed_at, self.closed_by, self.close_note = status, now, member_id, note
        self.touch(now)

    def _require_unfinished(self) -> None:
        if self.status not in UNFINISHED:
            raise Conflict("task_closed")
