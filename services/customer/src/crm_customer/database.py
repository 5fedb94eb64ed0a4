"""The tables' common base, and sets of rows in one statement."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ARRAY, FromClause, Table, column, func, literal
from sqlalchemy.orm import DeclarativeBase, Session

from chassis.database import new_metadata


class Base(DeclarativeBase):
    metadata = new_metadata()


def rowset(table: Table, rows: Sequence[dict[str, Any]], name: str = "given") -> FromClause:
    """`rows`, which all have the same keys, as something to select from: one parameter per column.

    The statement's text is the same for 1 row and for 1,000, so it is compiled once. Array columns cannot travel
    this way (unnest would flatten them).
    """
    types = {key: table.c[key].type for key in rows[0]}
    arrays = [literal([row[key] for row in rows], ARRAY(kind)) for key, kind in types.items()]
    columns = [column(key, kind) for key, kind in types.items()]
    return func.unnest(*arrays).table_valued(*columns, name=name).render_derived()


def copy_rows(session: Session, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Append `rows` to `table` with one COPY, inside the session's transaction."""
    names = ", ".join(f'"{name}"' for name in columns)
    driver: Any = session.connection().connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
