"""Pages of long lists: by number, the last one, or from a cursor; and how many rows there are (A-22 to A-28, design §5)."""

import json
import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, TypeVar, cast
from uuid import UUID

from pydantic import Field, WithJsonSchema, WrapValidator
from sqlalchemy import Select, func, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.http.api import Body, Page
from chassis.http.cursors import read_cursor, write_cursor

# What `page` is when the last one is asked for.
LAST = 0
# Rows from which on it pays to know the total first: pages of the list's second half are read from its end.
_DEEP = 10_000
_MOST_PAGES = 1_000_000
_CANCELLED = "57014"
# Milliseconds that counting may take.
PATIENCE = 300
# Counting is planned for the very values each time: texts above all decide what is quick.
_IMPATIENT = text("""
    SELECT set_config('statement_timeout', CAST(:patience AS text), TRUE),
        set_config('plan_cache_mode', 'force_custom_plan', TRUE)
""")
_KEPT_SECONDS = 15
_KEPT_FROM = 1000
_MOST_KEPT = 10_000
_totals: dict[Hashable, tuple[float, "Total"]] = {}
Parameters = dict[str, Any]
RowT = TypeVar("RowT")


def _number_or_last(value: Any, number: Any) -> int:
    return LAST if value == "last" else cast(int, number(value))


_NUMBER = {"type": "integer", "minimum": 1, "maximum": _MOST_PAGES}
_PageNumber = Annotated[
    int,
    Field(ge=1, le=_MOST_PAGES),
    WrapValidator(_number_or_last),
    WithJsonSchema({"anyOf": [_NUMBER, {"const": "last"}], "default": 1}),
]


class PagedQuery(Body):
    """Paging of a long list: 15 a page (A-22), at most 200; the last page by name (A-26)."""

    page: _PageNumber = 1
    page_size: int = Field(default=15, ge=1, le=200)
    cursor: str = Field(
        default="",
        max_length=200,
        description="next_cursor of the answer before, with the same conditions: goes on after it, whatever `page` says",
    )

    @property
    def needs_total(self) -> bool:
        """Whether the page is found from the list's end, so that its size is to be known first."""
        return not self.cursor and (self.page == LAST or self.page * self.page_size > _DEEP)


@dataclass(frozen=True)
class Total:
    """Rows of a list; `estimated` where counting took too long."""

    rows: int
    estimated: bool = False


@dataclass(frozen=True)
class Window:
    """The rows of page number `page`, counted from the list's beginning, or `backwards` from its end."""

    page: int
    offset: int
    limit: int
    backwards: bool = False


def window_of(query: PagedQuery, total: Total | None) -> Window:
    """Where the rows of a page lie; `total` is given where the query needs it."""
    size = query.page_size
    if total is None:
        return Window(query.page, (query.page - 1) * size, size)
    page = query.page or max(1, -(-total.rows // size))
    offset = (page - 1) * size
    if total.estimated:
        return Window(page, 0, size, backwards=True) if query.page == LAST else Window(page, offset, size)
    rows = min(size, max(0, total.rows - offset))
    if query.page == LAST or offset > total.rows // 2:
        return Window(page, max(0, total.rows - offset - rows), rows, backwards=True)
    return Window(page, offset, rows)


@dataclass(frozen=True)
class Cursor:
    """After which row of which order a list goes on, and with which page number."""

    order: str
    at: datetime
    id: UUID
    page: int

    def written(self) -> str:
        """As clients get it."""
        return write_cursor(self.order, self.at.isoformat(), str(self.id), self.page)


def read_position(written: str, order: str) -> Cursor:
    """The cursor of a list in this order. Raises Invalid unknown_cursor."""

    def position(of: str, at: str, id_: str, page: int) -> Cursor:
        cursor = Cursor(of, datetime.fromisoformat(at), UUID(id_), page)
        if of == order and cursor.at.tzinfo and type(page) is int and 1 <= page <= _MOST_PAGES:
            return cursor
        raise ValueError(written)

    return read_cursor(written, position)


def shown(found: Sequence[RowT], window: Window) -> tuple[Sequence[RowT], bool]:
    """The rows of the page in the list's order, and whether there are more after it.

    `found` may hold one row more than the window: it says so.
    """
    if window.backwards:
        return found[: window.limit][::-1], window.offset > 0
    return found[: window.limit], len(found) > window.limit


def total_shown(query: PagedQuery, page: Page[Any]) -> Total | None:
    """The list's size where a page shows its end, so that nothing is to be counted; None: it does not."""
    if query.cursor or query.needs_total or len(page.items) == page.page_size or (not page.items and page.page > 1):
        return None
    return Total((page.page - 1) * page.page_size + len(page.items))


def counted(
    database: Database,
    key: Hashable,
    matching: Select[Any],
    parameters: Parameters,
    *,
    roughly: Select[Any] | None = None,
    patience: int = PATIENCE,
) -> Total:
    """The size of the list that `matching` finds. Large ones, where one more or less goes unnoticed, are counted every
    15 seconds for each `key`. `roughly`: nearly the same, to be estimated instead where that goes better.
    """
    key = (database.url, key)
    kept = _totals.get(key)
    if kept is not None and kept[0] > time.monotonic():
        return kept[1]
    total = _count(database, matching, matching if roughly is None else roughly, parameters, patience)
    if total.estimated or total.rows >= _KEPT_FROM:
        if len(_totals) >= _MOST_KEPT:
            _totals.clear()
        _totals[key] = (time.monotonic() + _KEPT_SECONDS, total)
    return total


def _count(
    database: Database, matching: Select[Any], roughly: Select[Any], parameters: Parameters, patience: int
) -> Total:
    try:
        with database.reading() as session:
            session.execute(_IMPATIENT, {"patience": str(patience)})
            return Total(session.scalar(matching.with_only_columns(func.count()), parameters) or 0)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _CANCELLED:
            raise
    with database.reading() as session:
        return Total(int(explain(session, roughly, parameters)["Plan Rows"]), estimated=True)


def explain(
    session: Session, statement: Select[Any], parameters: Parameters | None = None, *, analyze: bool = False
) -> dict[str, Any]:
    """PostgreSQL's plan of `statement`."""
    compiled = statement.compile(session.connection(), compile_kwargs={"render_postcompile": True})
    how = "EXPLAIN (FORMAT JSON, ANALYZE)" if analyze else "EXPLAIN (FORMAT JSON)"
    answer = (
        session.connection()
        .exec_driver_sql(f"{how} {compiled}", cast(Any, compiled.construct_params(parameters)))
        .scalar_one()
    )
    plan: dict[str, Any] = (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]
    return plan
