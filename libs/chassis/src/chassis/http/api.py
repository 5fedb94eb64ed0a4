"""Declaring REST routes: one table holds address, right, shapes and words; everything else follows from it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, time
from enum import Enum
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic_core import PydanticCustomError

JSON = "application/json"
MAX_BODY_BYTES = 1024 * 1024
SERVE = "serve"


class Access(Enum):
    """Who may call a route that no single permission guards."""

    ANYONE = "anyone"
    MEMBER = "member"


class Body(BaseModel):
    """Base of request bodies and queries: unknown fields are refused, strings are trimmed."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


def _written_day(value: Any) -> Any:
    text = value.strip() if isinstance(value, str) else str(value)
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise PydanticCustomError("date_parsing", "not a day")
    return value


# A day as in ISO 8601. A bare date would also take a number, as seconds since 1970.
Day = Annotated[date, BeforeValidator(_written_day)]


def _written_time(value: Any) -> Any:
    # A bare time would also take seconds and a zone.
    if not isinstance(value, time) and not re.fullmatch(r"[0-2][0-9]:[0-5][0-9]", str(value)):
        raise PydanticCustomError("time_parsing", "not a time of day")
    return value


# A time of day, to the minute.
TimeOfDay = Annotated[
    time, BeforeValidator(_written_time), PlainSerializer(lambda at: at.strftime("%H:%M"), when_used="json")
]


DateT = TypeVar("DateT", bound=date)


def _within_bounds(day: DateT) -> DateT:
    if not 2000 <= day.year < 2200:
        raise PydanticCustomError("day_out_of_range", "no day of this time")
    return day


# A day that every zone, database and calendar can hold, for periods to look at.
NearDay = Annotated[Day, AfterValidator(_within_bounds)]
# A moment that they can hold, in UTC.
NearMoment = Annotated[
    AwareDatetime, AfterValidator(_within_bounds), AfterValidator(lambda moment: moment.astimezone(UTC))
]


class View(BaseModel):
    """Base of replies."""

    model_config = ConfigDict(from_attributes=True)


BodyT = TypeVar("BodyT")
QueryT = TypeVar("QueryT")
Item = TypeVar("Item")


class PageQuery(Body):
    """Paging of a list: 15 a page as the seeds ask (A-22), at most 200; no page beyond what a database can count."""

    page: int = Field(default=1, ge=1, le=1_000_000)
    page_size: int = Field(default=15, ge=1, le=200)


class Page(View, Generic[Item]):
    """One page of a list. `total` may be an estimate and then says so."""

    items: list[Item]
    page: int
    page_size: int
    total: int
    total_is_estimate: bool = False
    next_cursor: str | None = None


@dataclass(frozen=True)
class Route:
    """One REST route. `access` is a permission code or an Access; `consumes` other than JSON leaves the body to the view.

    `accepts`: the view may answer with a Response of 202 instead, in the same shape, whose Location tells how far the
    work has come. `role` other than serve: described here, answered by that role's own server.
    """

    method: str
    path: str
    view: Callable[..., Any]
    access: str | Access
    summary: str
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    reply: type[BaseModel] | None = None
    status: int = 200
    idempotent: bool = False
    versioned: bool = False
    accepts: bool = False
    consumes: str = JSON
    produces: str = JSON
    max_bytes: int = MAX_BODY_BYTES
    role: str = SERVE

    @property
    def operation_id(self) -> str:
        """Unique name in the OpenAPI document: the view's own name."""
        return self.view.__name__


class Api:
    """The routes of one feature."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.routes: list[Route] = []

    def route(
        self, method: str, path: str, *, access: str | Access, summary: str, **options: Any
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Declare `<method> /api/v1<path>`; `options` as in Route.

        A POST that creates or moves something is `idempotent`: it accepts Idempotency-Key and must do its work in
        `call.command`. A record with an ETag is `versioned`.
        """

        def declare(view: Callable[..., Any]) -> Callable[..., Any]:
            self.routes.append(Route(method, path, view, access, summary, **options))
            return view

        return declare
