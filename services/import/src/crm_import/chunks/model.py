"""Chunks: the pieces of a file that workers handle one at a time."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID, uuid5

from sqlalchemy import DateTime, ForeignKey, Index, Integer, Text, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from crm_import.chunks.rules import MAX_TRIES, ChunkStatus
from crm_import.database import Base

COUNTS = ("created", "updated", "skipped", "failed", "undone", "left")


class Chunk(Base):
    """Some rows of a job. Its counts are those of its results, of rows that are tried again how they change them;
    `touched_at` is when it was last handed out or taken by a worker.
    """

    __tablename__ = "import_chunks"
    __table_args__ = (
        UniqueConstraint("job_id", "number"),
        Index("ix_import_chunks_queued", "touched_at", postgresql_where=text("status = 'queued'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("import_jobs.id"))
    number: Mapped[int] = mapped_column(Integer)
    rows: Mapped[int] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(Text)
    tries: Mapped[int] = mapped_column(Integer)
    created: Mapped[int] = mapped_column(Integer)
    updated: Mapped[int] = mapped_column(Integer)
    skipped: Mapped[int] = mapped_column(Integer)
    failed: Mapped[int] = mapped_column(Integer)
    undone: Mapped[int] = mapped_column(Integer, server_default="0")
    left: Mapped[int] = mapped_column("rows_left", Integer, server_default="0")
    is_retry: Mapped[bool] = mapped_column(server_default=false())
    touched_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))

    @staticmethod
    def id_of(job_id: UUID, number: int) -> UUID:
        """The same id however often the file is split."""
        return uuid5(job_id, str(number))

    @staticmethod
    def key_of(job_id: UUID, number: int) -> str:
        """Where its rows lie in the object store."""
        return f"imports/{job_id}/chunks/{number:06d}"

    @property
    def is_done(self) -> bool:
        """Whether every row has its result."""
        return self.status == ChunkStatus.DONE

    def queue(self, now: datetime) -> None:
        """Hand it to the workers, or hand it to them again."""
        self.status, self.touched_at = ChunkStatus.QUEUED, now

    def fail_once(self) -> bool:
        """Count a try that failed; True when no further one is due."""
        self.tries += 1
        return self.tries >= MAX_TRIES

    def finish(self, counts: Mapping[str, int], now: datetime) -> None:
        """Every row has its result in the stage; `counts` of them, by the names of COUNTS."""
        self.status, self.touched_at = ChunkStatus.DONE, now
        for name, count in counts.items():
            setattr(self, name, getattr(self, name) + count)
