"""The tables' common base, what records that users edit have in common, and appending rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import NoneType
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


@dataclass(frozen=True)
class Copy:
    """Rows ready to be appended: the statement and its text."""

    statement: str
    content: bytes


def copy_of(table: Table, columns: Mapping[str, Sequence[Any]], **common: Any) -> Copy:
    """Rows told by column, as many in each, ready for `table`; `common`: what all of them share.

    Values are texts, numbers, truths, ids, days and moments, none of them with a NUL. The text is made here, a column at
    once: the driver looks at each value alone, which takes as long as PostgreSQL itself.
    """
    lines = [*map("\t".join, zip(*map(_texts, columns.values()), strict=True))]
    end = "".join(f"\t{_text(value)}" for value in common.values()) + "\n"
    names = ", ".join(f'"{name}"' for name in (*columns, *common))
    return Copy(f"COPY {table.name} ({names}) FROM STDIN", "".join(line + end for line in lines).encode())


def append(session: Session, *copies: Copy) -> None:
    """Append rows with one COPY each, in their order, inside the session's transaction."""
    driver: Any = session.connection().connection
    for one in copies:
        if one.content:
            with driver.cursor() as cursor, cursor.copy(one.statement) as copy:
                copy.write(one.content)


def by_column(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows, which all have the same keys, told by column."""
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


_NULL = "\\N"
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _texts(column: Sequence[Any]) -> Sequence[str]:
    """Values as COPY reads them."""
    kinds = set(map(type, column))
    if kinds == {int}:
        return [*map(str, column)]
    if kinds <= {str, NoneType} and not _is_special("".join(filter(None, column))):
        return column if NoneType not in kinds else [_NULL if text is None else text for text in column]
    return [*map(_text, column)]


def _is_special(text: str) -> bool:
    return any(character in text for character in "\\\t\n\r")


def _text(value: Any) -> str:
    if value is None:
        return _NULL
    return ("f", "t")[value] if isinstance(value, bool) else str(value).translate(_ESCAPED)
