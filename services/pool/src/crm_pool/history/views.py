"""Shapes of the histories of members and pools, and the periods of days that these and figures are asked for."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from pydantic import Field

from chassis import clock
from chassis.days import day_after, day_of, start_of
from chassis.errors import FieldError, Invalid, invalid
from chassis.http.api import Body, NearDay, View
from crm_pool.assignments.rules import Cause
from crm_pool.assignments.views import HistoryView

MOST_DAYS = 366


@dataclass(frozen=True)
class Period:
    """Days in the IANA zone `zone`, first and last inclusive."""

    first: date
    last: date
    zone: str

    @property
    def since(self) -> datetime:
        """Its first moment, UTC."""
        return start_of(self.first, self.zone)

    @property
    def until(self) -> datetime:
        """The first moment after it, UTC."""
        return start_of(day_after(self.last), self.zone)


class PeriodQuery(Body):
    """`from` and `to`: days of the organisation, inclusive, 366 at most."""

    from_: NearDay | None = Field(default=None, alias="from")
    to: NearDay | None = None

    def period(self, zone: str, days: int) -> Period:
        """The period asked for; without `to` until today, without `from` `days` days long.

        Raises Invalid before_from, or period_too_long for more than 366 days.
        """
        today = day_of(clock.now(), zone)
        last = self.to or max(today, self.from_ or today)
        first = self.from_ or last - timedelta(days=days - 1)
        if last < first:
            raise _wrong("/to", "before_from")
        if (last - first).days >= MOST_DAYS:
            raise _wrong("/from", "period_too_long")
        return Period(first, last, zone)


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


def _wrong(pointer: str, code: str) -> Invalid:
    return invalid(FieldError(pointer, code, {"most": MOST_DAYS}))
