"""Shapes of saved filters and columns."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, View
from crm_customer.views.rules import FilterPage

MOST_COLUMNS = 100
_Name = Annotated[str, Field(min_length=1, max_length=30, description="unique among one's own on the page")]
_FILTER = "parameters of the page's list without paging, conditions as a list"


class FiltersQuery(Body):
    """Filters of which page."""

    page: FilterPage = FilterPage.CUSTOMERS


class NewFilter(Body):
    """A filter to be kept under a name, after the others (I-07)."""

    page: FilterPage
    name: _Name
    filter: dict[str, Any] = Field(description=_FILTER)


class FilterChanges(Body):
    """What is to change. `position`: the place among one's own on the page, 0 the first."""

    name: _Name | None = None
    filter: dict[str, Any] | None = Field(default=None, description=_FILTER)
    position: int | None = Field(default=None, ge=0, le=1000)


class FilterView(View):
    """A saved filter; `broken`: it names something that is gone or hidden, `reason` says what."""

    id: UUID
    version: int
    page: FilterPage
    name: str
    filter: dict[str, Any]
    position: int
    broken: bool
    reason: str | None


class FiltersView(View):
    """One's own filters of a page, in their order."""

    items: list[FilterView]


class ColumnsBody(Body):
    """Keys of columns, as GET /fields names them, in order; the operations may be left out, and stay the last."""

    columns: list[str] = Field(min_length=1, max_length=MOST_COLUMNS)


class ColumnsView(View):
    """The columns that the page shows, and those that it can show."""

    columns: list[str]
    available: list[str]
    chosen: bool = Field(description="false: the usual ones")
