"""REST of the settings about duplicates."""

from chassis.clock import now
from chassis.http.api import Api
from chassis.http.call import Call
from crm_customer.configuration import change_settings, settings_of
from crm_customer.duplicate_settings.model import DuplicateSettings
from crm_customer.duplicate_settings.views import DuplicateSettingsChanges, DuplicateSettingsView
from directory.permissions import Permission

api = Api("duplicates")


@api.route(
    "GET",
    "/duplicates/settings",
    access=Permission.CUSTOMER_READ,
    summary="What is unique, and how many checks a day",
    reply=DuplicateSettingsView,
    versioned=True,
)
def read_duplicate_settings(call: Call[None, None]) -> DuplicateSettingsView:
    """Also for whoever may not change it: a form asks before it sends (G-04)."""
    with call.runtime.database.reading() as session:
        return DuplicateSettingsView.model_validate(settings_of(session, DuplicateSettings))


@api.route(
    "PATCH",
    "/duplicates/settings",
    access=Permission.CUSTOMER_CONFIGURE,
    summary="Change what is unique, and how many checks a day",
    body=DuplicateSettingsChanges,
    reply=DuplicateSettingsView,
    versioned=True,
)
def change_duplicate_settings(call: Call[DuplicateSettingsChanges, None]) -> DuplicateSettingsView:
    """From the next creation, change and import on; what is shared already stays (G-04)."""
    expected, values = call.expected_version(), call.body.model_dump(exclude_unset=True)
    with call.runtime.database.transaction() as session:
        settings = change_settings(session, DuplicateSettings, call.actor.id, values, expected, now())
        return DuplicateSettingsView.model_validate(settings)
