"""REST of reminders."""

from chassis.clock import now
from chassis.errors import NotFound
from chassis.http.api import Api, Page, PageQuery
from chassis.http.call import Call
from crm_customer.configuration import change_settings, settings_of
from crm_customer.reminders.model import ReminderSettings
from crm_customer.reminders.queries import ahead_of, due, today_of
from crm_customer.reminders.rules import DueKind
from crm_customer.reminders.views import (
    ReminderCount,
    ReminderItem,
    ReminderSettingsChanges,
    ReminderSettingsView,
    RemindersView,
)
from directory.permissions import Permission

api = Api("reminders")


@api.route("GET", "/reminders", access=Permission.CUSTOMER_READ, summary="Count what is due today", reply=RemindersView)
def count_reminders(call: Call[None, None]) -> RemindersView:
    """工作提醒 (K-01): one's own, by kind; what the day's digest tells, as it is now."""
    with call.runtime.database.reading() as session:
        (day, zone), me = today_of(session, now()), call.actor.id
        ahead = ahead_of(session)
        found = {kind: due(session, kind, [me], day, zone, ahead, 0) for kind in DueKind}
    counts = [ReminderCount(kind=kind, count=groups[me].count if me in groups else 0) for kind, groups in found.items()]
    return RemindersView(day=day.today, kinds=counts)


@api.route(
    "GET",
    "/reminders/<kind>",
    access=Permission.CUSTOMER_READ,
    summary="List what is due of one kind",
    query=PageQuery,
    reply=Page[ReminderItem],
)
def list_reminders(call: Call[None, PageQuery], kind: str) -> Page[ReminderItem]:
    """The most urgent first (K-02 to K-06, K-11)."""
    if kind not in tuple(DueKind):
        raise NotFound("not_found")
    query, me = call.query, call.actor.id
    offset = (query.page - 1) * query.page_size
    with call.runtime.database.reading() as session:
        day, zone = today_of(session, now())
        ahead = ahead_of(session)
        group = due(session, DueKind(kind), [me], day, zone, ahead, query.page_size, offset).get(me)
    items = [ReminderItem(**vars(item), days_left=item.days_left(day.today)) for item in (group.items if group else ())]
    return Page(items=items, page=query.page, page_size=query.page_size, total=group.count if group else 0)


@api.route(
    "GET",
    "/reminders/settings",
    access=Permission.CUSTOMER_READ,
    summary="From when on something is due",
    reply=ReminderSettingsView,
    versioned=True,
)
def read_reminder_settings(call: Call[None, None]) -> ReminderSettingsView:
    """Also for whoever may not change it."""
    with call.runtime.database.reading() as session:
        return ReminderSettingsView.model_validate(settings_of(session, ReminderSettings))


@api.route(
    "PATCH",
    "/reminders/settings",
    access=Permission.CUSTOMER_CONFIGURE,
    summary="Change from when on something is due",
    body=ReminderSettingsChanges,
    reply=ReminderSettingsView,
    versioned=True,
)
def change_reminder_settings(call: Call[ReminderSettingsChanges, None]) -> ReminderSettingsView:
    """From the next digest and list on."""
    expected, values = call.expected_version(), call.body.model_dump(exclude_unset=True)
    with call.runtime.database.transaction() as session:
        settings = change_settings(session, ReminderSettings, call.actor.id, values, expected, now())
        return ReminderSettingsView.model_validate(settings)
