"""Sets of rows in one statement, as one parameter per column."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ARRAY, FromClause, Insert, Table, bindparam, column, func, insert, select
from sqlalchemy.orm import Session


@cache
def rowset(table: Table, keys: tuple[str, ...]) -> FromClause:
    """Rows with these `keys` as something to select from; `listed` makes the statement's parameters of them.

    The statement is the same for 1 row and for 1,000: whoever makes it once has it compiled and planned once. Array
    columns cannot travel this way (unnest would flatten them).
    """
    types = {key: table.c[key].type for key in keys}
    arrays = [bindparam(f"given_{key}", type_=ARRAY(kind, dimensions=1)) for key, kind in types.items()]
    columns = [column(key, kind) for key, kind in types.items()]
    return func.unnest(*arrays).table_valued(*columns, name="given").render_derived()


def listed(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """`rows`, which all have the same keys, as the parameters of a statement with a `rowset`."""
    return {f"given_{key}": [row[key] for row in rows] for key in rows[0]}


def insert_rows(session: Session, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert `rows`, which all have the same keys, with one statement, however many they are."""
    if rows:
        session.execute(_insertion(table, tuple(rows[0])), listed(rows))


@cache
def _insertion(table: Table, keys: tuple[str, ...]) -> Insert:
    return insert(table).from_select(keys, select(rowset(table, keys)))
