"""A calendar as other programs read it: iCalendar, RFC 5545."""

from collections.abc import Iterable
from datetime import datetime

from icalendar import Calendar, Event

from chassis.days import day_after
from crm_customer.schedules.views import CalendarItem

CALENDAR = "text/calendar"


def written(items: Iterable[CalendarItem], at: datetime) -> bytes:
    """The items as one calendar; moments in UTC, whole days as days."""
    calendar = Calendar()
    calendar.add("prodid", "-//Highsea//Schedule//ZH")
    calendar.add("version", "2.0")
    for item in items:
        calendar.add_component(_event(item, at))
    return bytes(calendar.to_ical())


def _event(item: CalendarItem, at: datetime) -> Event:
    event = Event()
    event.add("uid", f"{item.kind}-{item.id}@highsea")
    event.add("dtstamp", at)
    if item.all_day:
        event.add("dtstart", item.starts_on)
        event.add("dtend", day_after(item.ends_on))
    else:
        event.add("dtstart", item.starts_at)
        event.add("dtend", item.ends_at)
    name = item.customer.name if item.customer else ""
    event.add("summary", f"{item.subject} · {name}" if name else item.subject)
    if item.place:
        event.add("location", item.place)
    return event
