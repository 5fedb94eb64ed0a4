"""An export job: records on their way into a file."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Index, Integer, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from chassis.errors import Conflict
from crm_import.database import Base
from crm_import.exports.rules import UNDER_WAY, ExportKind, Format, Status


class ExportJob(Base):
    """`selection` is a crm.common.v1.Selection; `fields`: those asked for, empty: all that its actor may see. `total` is about
    how many rows there are, 0: unknown, `rows` how many are written, `left_out` how many its actor may not export.
    `tries`: how often it was begun, the last one counts; 0 again when its files are deleted. `expires_at`: the file is
    deleted then.
    """

    __tablename__ = "export_jobs"
    __table_args__ = (
        Index("ix_export_jobs_created_by", "created_by", "id"),
        Index("ix_export_jobs_under_way", "touched_at", postgresql_where=text("status IN ('queued', 'running')")),
        Index("ix_export_jobs_expires_at", "expires_at", postgresql_where=text("file_bytes IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    created_by: Mapped[UUID]
    kind: Mapped[str] = mapped_column(Text)
    format: Mapped[str] = mapped_column(Text)
    selection: Mapped[bytes] = mapped_column(LargeBinary)
    fields: Mapped[list[str]] = mapped_column(ARRAY(Text))
    status: Mapped[str] = mapped_column(Text)
    total: Mapped[int] = mapped_column(Integer, server_default="0")
    rows: Mapped[int] = mapped_column(Integer, server_default="0")
    left_out: Mapped[int] = mapped_column(Integer, server_default="0")
    tries: Mapped[int] = mapped_column(Integer, server_default="0")
    file_name: Mapped[str] = mapped_column(Text)
    file_bytes: Mapped[int | None] = mapped_column(BigInteger)
    failure_code: Mapped[str | None] = mapped_column(Text)
    failure_parameters: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    touched_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    @classmethod
    def ask(
        cls,
        job_id: UUID,
        created_by: UUID,
        kind: ExportKind,
        file_format: Format,
        *,
        selection: bytes,
        fields: Sequence[str],
        total: int,
        file_name: str,
        now: datetime,
    ) -> Self:
        """A new job that waits for a worker."""
        return cls(
            id=job_id,
            version=1,
            created_by=created_by,
            kind=kind,
            format=file_format,
            selection=selection,
            fields=list(fields),
            status=Status.QUEUED,
            total=total,
            rows=0,
            left_out=0,
            tries=0,
            file_name=file_name,
            failure_parameters={},
            created_at=now,
            touched_at=now,
        )

    @property
    def key(self) -> str:
        """Where its file lies in the object store; another one for each time that it is begun."""
        return self._key(self.tries)

    @property
    def former_keys(self) -> list[str]:
        """Where workers that died may have left files."""
        return [self._key(number) for number in range(1, self.tries)]

    @property
    def all_keys(self) -> list[str]:
        """Where files of it may lie: its own, and those of workers that died."""
        return [self._key(number) for number in range(1, self.tries + 1)]

    def _key(self, tries: int) -> str:
        return f"exports/{self.id}/{tries}"

    @property
    def is_under_way(self) -> bool:
        """Whether it waits or is written."""
        return self.status in UNDER_WAY

    def begin(self, now: datetime) -> None:
        """A worker writes the file from its beginning; what another one has written of it counts no more."""
        self.status, self.rows, self.tries = Status.RUNNING, 0, self.tries + 1
        self._changed(now)

    def go_on(self, rows: int, total: int, left_out: int, now: datetime) -> None:
        """So many rows are written."""
        self.rows, self.total, self.left_out = rows, total, left_out
        self._changed(now)

    def finish(self, file_bytes: int, expires_at: datetime, now: datetime) -> None:
        """The file is whole and can be fetched until `expires_at`."""
        self.file_bytes, self.total, self.expires_at = file_bytes, self.rows, expires_at
        self._end(Status.FINISHED, now)

    def fail(self, code: str, parameters: Mapping[str, Any], now: datetime) -> None:
        """There will be no file; `code` is worded in messages."""
        self.failure_code, self.failure_parameters = code, dict(parameters)
        self._end(Status.FAILED, now)

    def cancel(self, now: datetime) -> bool:
        """Stop it; False when that was done before. Raises Conflict when it has ended otherwise."""
        if self.status == Status.CANCELLED:
            return False
        if not self.is_under_way:
            raise Conflict("export_already_ended")
        self._end(Status.CANCELLED, now)
        return True

    def expire(self) -> None:
        """Its files are deleted."""
        self.file_bytes, self.tries = None, 0
        self.version += 1

    def _end(self, status: Status, now: datetime) -> None:
        self.status, self.finished_at = status, now
        self._changed(now)

    def _changed(self, now: datetime) -> None:
        self.version += 1
        self.touched_at = now
