"""REST of the working-day calendar (工作日历)."""

from sqlalchemy.orm import Session

from chassis import clock
from chassis.days import day_of
from chassis.http.api import Access, Api
from chassis.http.call import Call
from crm_identity.calendar import commands
from crm_identity.calendar.views import CalendarDayView, CalendarView, YearChange, YearQuery
from crm_identity.organisation import queries
from crm_identity.organisation.model import ORGANISATION_ID, Organisation
from directory.permissions import Permission

api = Api("calendar")


@api.route(
    "GET",
    "/organisation/calendar",
    access=Access.MEMBER,
    summary="The days of a year that differ from the week",
    query=YearQuery,
    reply=CalendarView,
    versioned=True,
)
def read_calendar(call: Call[None, YearQuery]) -> CalendarView:
    with call.runtime.database.reading() as session:
        return _view(session, call.query.year)


@api.route(
    "PUT",
    "/organisation/calendar/<int:year>",
    access=Permission.ORGANISATION_MANAGE,
    summary="Say which days of a year differ from the week",
    body=YearChange,
    reply=CalendarView,
    versioned=True,
)
def change_calendar(call: Call[YearChange, None], year: int) -> CalendarView:
    """If-Match: the organisation's version, as the calendar was read with."""
    expected, days = call.expected_version(), [day.model_dump(mode="json") for day in call.body.days]
    with call.runtime.database.transaction() as session:
        commands.change_year(session, call.actor.id, expected, year, days)
        return _view(session, year)


def _view(session: Session, year: int | None) -> CalendarView:
    organisation = queries.found(session, Organisation, ORGANISATION_ID)
    year = year or day_of(clock.now(), organisation.zone).year
    days = [CalendarDayView(**day) for day in organisation.calendar.get(str(year), [])]
    return CalendarView(year=year, days=days, version=organisation.version)
