"""Shapes of absences in REST."""

from datetime import UTC, date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field

from chassis.http.api import Body, Day, PageQuery, View
from crm_identity.organisation.views import Named

# Bounds keep the moment within what every zone, database and protobuf can hold.
Moment = Annotated[AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), le=datetime(2200, 1, 1, tzinfo=UTC))]
BoundedDay = Annotated[Day, Field(ge=date(2000, 1, 1), le=date(2200, 1, 1))]


class AbsenceView(View):
    """A time in which the member is away: from `starts_at` until before `ends_at`."""

    id: UUID
    starts_at: datetime
    ends_at: datetime
    note: str


class NewAbsence(Body):
    """An absence; without `starts_at` it begins now."""

    starts_at: Moment | None = None
    ends_at: Moment
    note: str = Field(default="", max_length=100)


class CalendarQuery(PageQuery):
    """Absences that touch the organisation's days `from` to `to`; by default today and the 30 days after `from`.

    A department includes those below it.
    """

    from_: BoundedDay | None = Field(default=None, alias="from")
    to: BoundedDay | None = None
    department_id: UUID | None = None


class CalendarEntry(View):
    """Who is away when. The note is not for everybody."""

    id: UUID
    member: Named
    department: Named
    starts_at: datetime
    ends_at: datetime
