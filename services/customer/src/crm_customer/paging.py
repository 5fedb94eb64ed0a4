"""Pages of long lists: by number, the last one, or from a cursor (A-22 to A-28, design §5)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Generic, Protocol, TypeVar, cast
from uuid import UUID

from pydantic import AfterValidator, Field, ValidationInfo, WithJsonSchema, WrapValidator
from pydantic_core import PydanticCustomError
from sqlalchemy import text
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.errors import FieldError, invalid
from chassis.http.api import Body, Page
from chassis.http.cursors import read_cursor, write_cursor
from crm_customer.counting import Total

# What `page` is when the last one is asked for.
LAST = 0
# Rows from which on it pays to know the total first: pages of the list's second half are read from its end.
_DEEP = 10_000
_MOST_PAGES = 1_000_000
RowT = TypeVar("RowT")
ConditionsT = TypeVar("ConditionsT", bound="Conditions")
# PostgreSQL cannot know how few rows a page needs, and would collect and sort all. A plan is kept until its tables are
# analyzed: one made while they were small would read them whole for each page while a large import is under way.
_BY_INDEX = text(
    "SELECT set_config('enable_bitmapscan', 'off', TRUE), set_config('enable_seqscan', 'off', TRUE),"
    " set_config('enable_hashjoin', 'off', TRUE), set_config('enable_mergejoin', 'off', TRUE)"
)
_WALKS = "walks"


def _number_or_last(value: Any, number: Any) -> int:
    return LAST if value == "last" else cast(int, number(value))


_NUMBER = {"type": "integer", "minimum": 1, "maximum": _MOST_PAGES}
_PageNumber = Annotated[
    int,
    Field(ge=1, le=_MOST_PAGES),
    WrapValidator(_number_or_last),
    WithJsonSchema({"anyOf": [_NUMBER, {"const": "last"}], "default": 1}),
]


def _not_reversed(last: Any, info: ValidationInfo) -> Any:
    begins = str(info.field_name).removesuffix("to") + "from"
    first = info.data.get(begins, info.data.get(f"{begins}_"))
    if first is not None and last is not None and last < first:
        raise PydanticCustomError("range_reversed", "the last value lies before the first")
    return last


# Of a field `to` or `…_to`: not less than `from` or `…_from` of the same query.
RangeEnd = AfterValidator(_not_reversed)


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
class Window:
    """The rows of page number `page`, counted from the list's beginning, or `backwards` from its end."""

    page: int
    offset: int
    limit: int
    backwards: bool = False


class Conditions(Protocol):
    """What a list is asked for, a frozen data class. `after`: the row after which it goes on, its moment and id;
    `backwards`: the order turned round.
    """

    @property
    def after(self) -> tuple[datetime, UUID] | None: ...
    @property
    def backwards(self) -> bool: ...


@dataclass(frozen=True)
class Listing(Generic[ConditionsT, RowT]):
    """A long list as a member sees it: `find` reads the ids of some rows in order (offset, limit), `show` what is answered
    of them. Cursors name the `order` and go on after the `moment` of a row, a field of what is shown; empty: by number alone.
    """

    wanted: ConditionsT
    order: str
    moment: str
    find: Callable[[Session, ConditionsT, int, int], Sequence[UUID]]
    show: Callable[[Session, Sequence[UUID]], list[RowT]]
    total: Callable[[ConditionsT], Total]


def paged(
    database: Database, query: PagedQuery, listing_of: Callable[[Session], Listing[ConditionsT, RowT]]
) -> Page[RowT]:
    """The page that the query asks for. The list is counted where the page does not show its end, or lies near it."""
    page = None
    with database.reading() as session:
        listing = listing_of(session)
        if not query.needs_total:
            page = _page(session, listing, query, None)
    count = None if page is None else _total_shown(query, page)
    if count is None:
        count = listing.total(listing.wanted)
    if page is None:
        with database.reading() as session:
            page = _page(session, listing, query, count)
    shown = (page.page - 1) * page.page_size + len(page.items) + bool(page.next_cursor)
    page.total = max(count.rows, shown) if count.estimated else count.rows
    page.total_is_estimate = count.estimated
    return page


class Shape(Enum):
    """How a page is found (decision 0017): all that is asked for and seen is collected and sorted; what is few is, and
    joined with the beginning of a walk; or an index is walked in order, asking of each row whether it is seen.
    """

    COLLECTED, MERGED, WALKED = range(3)


def walk(session: Session) -> None:
    """Let pages be found by walking an index in order, and what they show by key, for the rest of this transaction."""
    if not session.info.get(_WALKS):
        session.execute(_BY_INDEX)
        session.info[_WALKS] = True


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


def _page(session: Session, listing: Listing[ConditionsT, RowT], query: PagedQuery, count: Total | None) -> Page[RowT]:
    """The page, with its number and how to go on after it; `count` is given where it is found from the end."""
    wanted, window = listing.wanted, window_of(query, count)
    if query.cursor:
        if not listing.moment:
            raise invalid(FieldError("/cursor", "unknown_cursor"))
        cursor = read_position(query.cursor, listing.order)
        wanted, window = _with(wanted, after=(cursor.at, cursor.id)), Window(cursor.page, 0, query.page_size)
    wanted = _with(wanted, backwards=window.backwards)
    # One row more says whether there are more.
    limit = window.limit if window.backwards else window.limit + 1
    found = listing.find(session, wanted, window.offset, limit) if window.limit else []
    ids = found[: window.limit][::-1] if window.backwards else found[: window.limit]
    more = window.offset > 0 if window.backwards else len(found) > window.limit
    items = listing.show(session, ids)
    after = None
    if more and items and listing.moment:
        last: Any = items[-1]
        after = Cursor(listing.order, getattr(last, listing.moment), last.id, window.page + 1).written()
    return Page(items=items, page=window.page, page_size=query.page_size, total=0, next_cursor=after)


def _with(wanted: ConditionsT, **changes: Any) -> ConditionsT:
    return cast(ConditionsT, replace(cast(Any, wanted), **changes))


def _total_shown(query: PagedQuery, page: Page[Any]) -> Total | None:
    """The list's size where a page shows its end, so that nothing is to be counted; None: it does not."""
    if query.cursor or len(page.items) == page.page_size or (not page.items and page.page > 1):
        return None
    return Total((page.page - 1) * page.page_size + len(page.items))
