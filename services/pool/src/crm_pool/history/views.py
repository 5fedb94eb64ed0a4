"""Shapes of the histories of members and pools."""

from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, NearDay, View
from crm_pool.assignments.rules import Cause
from crm_pool.assignments.views import HistoryView


class PeriodQuery(Body):
    """`from` and `to`: days of the organisation, inclusive, 366 at most."""

    from_: NearDay | None = Field(default=None, alias="from")
    to: NearDay | None = None


class HistoryQuery(PeriodQuery):
    """Whose history: of one member or of one pool. Without `from` and `to` the last 90 days.

    `cursor`: the `next_cursor` of the answer before, with the same conditions.
    """

    member_id: UUID | None = None
    pool_id: UUID | None = None
    cause: Cause | None = None
    page_size: int = Field(default=15, ge=1, le=200)
    cursor: str = Field(default="", max_length=200)


class MovementView(HistoryView):
    """One change, and of which customer; no name when the customer is out of sight."""

    customer_id: UUID
    customer_name: str | None


class HistoryPage(View):
    """Changes, newest first; with `next_cursor` there are more."""

    items: list[MovementView]
    page_size: int
    next_cursor: str | None
