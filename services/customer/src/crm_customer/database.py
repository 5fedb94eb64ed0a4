"""The tables' common base, and appending rows to them."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.orm import DeclarativeBase, Session

from chassis.database import new_metadata


class Base(DeclarativeBase):
    metadata = new_metadata()


def copy_rows(session: Session, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Append `rows` to `table` with one COPY, inside the session's transaction."""
    names = ", ".join(f'"{name}"' for name in columns)
    driver: Any = session.connection().connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
