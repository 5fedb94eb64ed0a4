"""Pages of long lists: counted as far as it matters, and gone on with from a cursor (A-26, A-28)."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from pydantic import Field
from sqlalchemy import Select, func, literal, select, tuple_
from sqlalchemy.orm import Session

from chassis.http.api import Page, PageQuery
from chassis.http.cursors import read_cursor, write_cursor

# Beyond this a list has "more than": nobody reads an exact number there, and counting goes through every row.
COUNTED_ROWS = 1_000
RowT = TypeVar("RowT")
Item = TypeVar("Item")


class PagedQuery(PageQuery):
    """Paging of a long list: by number, or from where the answer before ended."""

    cursor: str = Field(
        default="",
        max_length=200,
        description="next_cursor of the answer before, with the same filters: goes on after it, whatever `page` says",
    )


class Position(NamedTuple):
    """A row's place in its list."""

    at: datetime
    id: UUID


def rows_of(session: Session, found: Select[RowT], order: tuple[Any, Any], query: PagedQuery) -> Sequence[RowT]:
    """The rows of the page that `query` asks for and one more, the newest first; `order`: the columns of a Position.

    Raises Invalid unknown_cursor.
    """
    found = found.order_by(*(column.desc() for column in order)).limit(query.page_size + 1)
    if query.cursor:
        return session.scalars(found.where(tuple_(*order) < tuple_(*read_cursor(query.cursor, _position)))).all()
    return session.scalars(found.offset((query.page - 1) * query.page_size)).all()


def bounded_count(session: Session, found: Select[Any], order: tuple[Any, Any]) -> int:
    """How many rows there are; COUNTED_ROWS + 1 for more than COUNTED_ROWS. They are walked in `order`, as the page is."""
    ordered = found.with_only_columns(literal(1)).order_by(*(column.desc() for column in order))
    counted = ordered.limit(COUNTED_ROWS + 1).subquery()
    return session.scalar(select(func.count()).select_from(counted)) or 0


def page_of(
    rows: Sequence[RowT],
    query: PagedQuery,
    total: int,
    show: Callable[[Sequence[RowT]], list[Item]],
    position: Callable[[RowT], Position],
) -> Page[Item]:
    """The answer with what `rows_of` found and `bounded_count` counted. An estimated total is at least what was shown."""
    kept, more = rows[: query.page_size], len(rows) > query.page_size
    estimated = total > COUNTED_ROWS
    shown = (query.page - 1) * query.page_size + len(rows)
    last = position(kept[-1]) if more else None
    return Page(
        items=show(kept),
        page=query.page,
        page_size=query.page_size,
        total=max(COUNTED_ROWS, shown) if estimated else total,
        total_is_estimate=estimated,
        next_cursor=write_cursor(last.at.isoformat(), str(last.id)) if last else None,
    )


def _position(at: str, id_: str) -> Position:
    position = Position(datetime.fromisoformat(at), UUID(id_))
    if position.at.tzinfo is None:
        raise ValueError(at)
    return position
