"""The tables' common base, and sets of ids as one parameter."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from pydantic_core import to_jsonable_python
from sqlalchemy import (
    ARRAY,
    Cast,
    ColumnElement,
    Text,
    Uuid,
    any_,
    bindparam,
    cast,
    literal,
)
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.sql.elements import SQLCoreOperations
from sqlalchemy.types import TypeEngine

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


def array_text(texts: Collection[str]) -> str:
    """`texts`, without null characters, as PostgreSQL writes an array: a single value, where a list costs the driver half a
    microsecond for each.
    """
    quoted = "\0".join(texts).replace("\\", "\\\\").replace('"', '\\"').replace("\0", '","')
    return f'{{"{quoted}"}}' if texts else "{}"


def array_of(name: str, kind: type[TypeEngine[Any]]) -> Cast[Any]:
    """The array in the statement's parameter `name`, which `array_text` makes."""
    return cast(bindparam(name, type_=Text), ARRAY(kind))
