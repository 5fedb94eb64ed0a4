"""The tables' common base, and sets of rows as one parameter per column."""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any
from uuid import UUID

from pydantic_core import to_jsonable_python
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    FromClause,
    Insert,
    Table,
    Uuid,
    any_,
    bindparam,
    column,
    func,
    insert,
    literal,
    select,
)
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.sql.elements import SQLCoreOperations

from chassis.database import new_metadata
from chassis.errors import Stale

# What was changed: before and after.
Changes = tuple[dict[str, Any], dict[str, Any]]


class Base(DeclarativeBase):
    metadata = new_metadata()


def take_over(record: Base, values: Mapping[str, Any]) -> Changes | None:
    """Set `values`; returns those that differed, None when none did."""
    before = {field: getattr(record, field) for field, value in values.items() if getattr(record, field) != value}
    for field in before:
        setattr(record, field, values[field])
    return (before, {field: values[field] for field in before}) if before else None


def require_version(record: Base, expected: int, values: Mapping[str, Any]) -> None:
    """Raises Stale with both values of each clashing field unless the record is that version still."""
    version = record.version  # type: ignore[attr-defined]
    if version != expected:
        conflicts = [
            {"pointer": f"/{field}", "yours": to_jsonable_python(value), "current": to_jsonable_python(current)}
            for field, value in values.items()
            if (current := getattr(record, field)) != value
        ]
        raise Stale("stale_version", extra={"version": version, "conflicts": conflicts})


def row_of(record: Base) -> dict[str, Any]:
    """A record as its row."""
    return {column.name: getattr(record, column.name) for column in record.__table__.columns}


def among(
    attribute: SQLCoreOperations[UUID] | SQLCoreOperations[UUID | None], ids: Collection[UUID]
) -> ColumnElement[bool]:
    """Whether `attribute` is one of `ids`, which travel as one parameter."""
    return attribute == any_(literal(list(ids), ARRAY(Uuid)))


def among_ids(attribute: SQLCoreOperations[UUID]) -> ColumnElement[bool]:
    """Whether `attribute` is one of the statement's parameter `ids`: for statements that are made once."""
    return attribute == any_(bindparam("ids", type_=ARRAY(Uuid)))


@cache
def rowset(table: Table, keys: tuple[str, ...]) -> FromClause:
    """Rows with these `keys` as something to select from; `listed` makes the statement's parameters of them.

    The statement is the same for 1 row and for 1,000: whoever makes it once has it compiled and planned once.
    """
    types = {key: table.c[key].type for key in keys}
    arrays = [bindparam(f"given_{key}", type_=ARRAY(kind, dimensions=1)) for key, kind in types.items()]
    columns = [column(key, kind) for key, kind in types.items()]
    return func.unnest(*arrays).table_valued(*columns, name="given").render_derived()


def listed(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """`rows`, which all have the same keys, as the parameters of a statement with a `rowset`."""
    return {f"given_{key}": [row[key] for row in rows] for key in rows[0]}


def insert_rows(session: Session, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert `rows` with one statement, however many they are."""
    if rows:
        session.execute(_insertion(table, tuple(rows[0])), listed(rows))


@cache
def _insertion(table: Table, keys: tuple[str, ...]) -> Insert:
    return insert(table).from_select(keys, select(rowset(table, keys)))
