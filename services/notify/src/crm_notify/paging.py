"""Pages of long lists: counted as far as it matters, and gone on with from a cursor (A-26, A-28)."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from pydantic import Field
from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.orm import Session

from chassis.http.api import Page, PageQuery
from chassis.http.cursors import read_cursor, write_cursor

# Beyond this a list has "more than": nobody reads an exact number there, and counting goes through every row.
COUNTED_ROWS = 1_000
RowT = TypeVar("RowT")
Item = TypeVar("Item")
# What a list is ordered by, its last column the id, those before moments; and what a row has there.
Order = tuple[Any, ...]


class PagedQuery(PageQuery):
    """Paging of a long list: by number, or from where the answer before ended."""

    cursor: str = Field(
        default="",
        max_length=200,
        description="next_cursor of the answer before, with the same filters: goes on after it, whatever `page` says",
    )


def rows_of(session: Session, found: Select[RowT], order: Order, query: PagedQuery) -> Sequence[RowT]:
    """The rows of the page that `query` asks for and one more, the newest first. Raises Invalid unknown_cursor."""
    found = found.order_by(*(column.desc() for column in order)).limit(query.page_size + 1)
    if not query.cursor:
        return session.scalars(found.offset((query.page - 1) * query.page_size)).all()
    after = read_cursor(query.cursor, partial(_position, len(order)))
    return session.scalars(found.where(tuple_(*order) < tuple_(*after))).all()


def bounded_count(session: Session, found: Select[Any], order: Order) -> int:
    """How many rows there are; COUNTED_ROWS + 1 for more than COUNTED_ROWS. They are walked in `order`, as the page is."""
    ordered = found.with_only_columns(order[-1]).order_by(*(column.desc() for column in order))
    counted = ordered.limit(COUNTED_ROWS + 1).subquery()
    return session.scalar(select(func.count()).select_from(counted)) or 0


def page_of(
    rows: Sequence[RowT],
    query: PagedQuery,
    total: int,
    show: Callable[[Sequence[RowT]], list[Item]],
    position: Callable[[RowT], Order],
) -> Page[Item]:
    """The answer with what `rows_of` found and `bounded_count` counted. An estimated total is at least what was shown."""
    kept, more = rows[: query.page_size], len(rows) > query.page_size
    estimated = total > COUNTED_ROWS
    shown = (query.page - 1) * query.page_size + len(rows)
    return Page(
        items=show(kept),
        page=query.page,
        page_size=query.page_size,
        total=max(COUNTED_ROWS, shown) if estimated else total,
        total_is_estimate=estimated,
        next_cursor=_cursor(position(kept[-1])) if more else None,
    )


def _cursor(position: Order) -> str:
    return write_cursor(*(part.isoformat() if isinstance(part, datetime) else str(part) for part in position))


def _position(length: int, *parts: str) -> Order:
    *moments, id_ = parts
    position: Order = (*map(datetime.fromisoformat, moments), UUID(id_))
    if len(position) != length or not all(moment.tzinfo for moment in position[:-1]):
        raise ValueError(parts)
    return position
