"""The tables' common base, what records that users edit have in common, and appending rows."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Table
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from chassis.database import new_metadata

# An id, or its text where there are many of them: COPY and messages take it as it is.
Id = UUID | str


class Base(DeclarativeBase):
    metadata = new_metadata()


class Versioned:
    """What users edit: each change counts `version` up, at `updated_at` (UTC)."""

    version: Mapped[int] = mapped_column(BigInteger, server_default="1")
    updated_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))

    def change(self, values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        """Take over clean values; returns what they replaced, empty where all of them already hold."""
        before = {name: getattr(self, name) for name, value in values.items() if getattr(self, name) != value}
        for name in before:
            setattr(self, name, values[name])
        if before:
            self.touch(now)
        return before

    def touch(self, now: datetime) -> None:
        """It changed."""
        self.version += 1
        self.updated_at = now


def copy_rows(session: Session, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Append `rows` to `table` with one COPY, inside the session's transaction."""
    names = ", ".join(f'"{name}"' for name in columns)
    driver: Any = session.connection().connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
