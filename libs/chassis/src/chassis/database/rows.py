"""Sets of rows in one statement, as one parameter per column."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ARRAY, FromClause, Insert, Table, bindparam, column, func, insert, select
from sqlalchemy.orm import Session


@cache
def rowset(table: Table, keys: tuple[str, ...]) -> FromClause:
    """Rows with these `keys` as something to select from; `listed` makes the statement's parameters of them.

    The first key is the rows' own: what all rows share of the others is sent once, as each value costs the driver a
    microsecond. The statement is the same for 1 row and for 1,000: whoever makes it once has it compiled and planned once.
    Array columns cannot travel this way (unnest would flatten them).
    """
    types = {key: table.c[key].type for key in keys}
    arrays = [bindparam(f"given_{key}", type_=ARRAY(kind, dimensions=1)) for key, kind in types.items()]
    columns = [column(key, kind) for key, kind in types.items()]
    own = func.unnest(*arrays).table_valued(*columns, name="own").render_derived().c
    shared = [
        func.coalesce(own[key], bindparam(f"shared_{key}", type_=kind), type_=kind).label(key)
        for key, kind in list(types.items())[1:]
    ]
    return select(own[keys[0]], *shared).subquery("given")


def listed(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`rows`, which all have the same keys, as the parameters of a statement with a `rowset`."""
    return in_columns({key: [row[key] for row in rows] for key in rows[0]})


def in_columns(columns: Mapping[str, list[Any]]) -> dict[str, Any]:
    """The same of rows that are in columns already."""
    first, *others = columns
    parameters: dict[str, Any] = {f"given_{first}": columns[first]}
    for key in others:
        values = columns[key]
        is_shared = _are_one(values)
        parameters[f"given_{key}"] = [] if is_shared else values
        parameters[f"shared_{key}"] = values[0] if is_shared else None
    return parameters


def _are_one(values: Sequence[Any]) -> bool:
    """Whether all are the same value. What holds others may look the same and is not, as [1] and [True]."""
    first = values[0]
    if first and isinstance(first, (list, dict)):
        return all(one is first for one in values)
    return all(one is first or (type(one) is type(first) and one == first) for one in values)


def insert_rows(session: Session, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert `rows`, which all have the same keys, with one statement, however many they are."""
    if rows:
        session.execute(_insertion(table, tuple(rows[0])), listed(rows))


@cache
def _insertion(table: Table, keys: tuple[str, ...]) -> Insert:
    return insert(table).from_select(keys, select(rowset(table, keys)))
