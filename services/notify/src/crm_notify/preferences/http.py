"""REST of preferences: one's own, and what holds for whoever chose nothing (K-12)."""

from typing import Any, cast

from sqlalchemy.orm import Session

from chassis.http.api import Access, Api
from chassis.http.call import Call
from crm_notify.preferences import commands
from crm_notify.preferences.model import PreferenceDefaults, Preferences
from crm_notify.preferences.queries import as_defaults, choices_of, defaults_of, unavailable
from crm_notify.preferences.rules import Choices, Defaults
from crm_notify.preferences.views import NewDefaults, NewPreferences, PreferencesView
from crm_notify.settings import Settings
from directory.permissions import Permission
from directory.scope import zone_of

api = Api("preferences")


@api.route(
    "GET",
    "/preferences",
    access=Access.MEMBER,
    summary="What one is told of, over which channel and when",
    reply=PreferencesView,
    versioned=True,
)
def read_preferences(call: Call[None, None]) -> PreferencesView:
    """With what each choice stems from, and what an administrator locked. The language is the member's own (identity)."""
    with call.runtime.database.reading() as session:
        return _own(call, session, session.get(Preferences, call.actor.id))


@api.route(
    "PUT",
    "/preferences",
    access=Access.MEMBER,
    summary="Choose what one is told of; {} is back to the defaults",
    body=NewPreferences,
    reply=PreferencesView,
    versioned=True,
)
def put_preferences(call: Call[NewPreferences, None]) -> PreferencesView:
    """What equals the defaults is not kept: it follows them. A locked cell can only be sent as it is."""
    expected, values = call.expected_version(), call.body.values()
    with call.runtime.database.transaction() as session:
        return _own(call, session, commands.choose(session, call.actor.id, expected, values))


@api.route(
    "GET",
    "/preferences/defaults",
    access=Permission.NOTIFY_CONFIGURE,
    summary="What holds for whoever chose nothing else",
    reply=PreferencesView,
    versioned=True,
)
def read_preference_defaults(call: Call[None, None]) -> PreferencesView:
    with call.runtime.database.reading() as session:
        return _of_defaults(call, session, session.get(PreferenceDefaults, 1))


@api.route(
    "PUT",
    "/preferences/defaults",
    access=Permission.NOTIFY_CONFIGURE,
    summary="Say what holds for whoever chose nothing else, and what nobody may change",
    body=NewDefaults,
    reply=PreferencesView,
    versioned=True,
)
def put_preference_defaults(call: Call[NewDefaults, None]) -> PreferencesView:
    """What members chose otherwise stays, but for locked cells, where it does not count while they are locked."""
    expected, values = call.expected_version(), call.body.values()
    with call.runtime.database.transaction() as session:
        return _of_defaults(call, session, commands.appoint(session, call.actor.id, expected, values))


def _own(call: Call[Any, None], session: Session, row: Preferences | None) -> PreferencesView:
    return _view(call, session, row.version if row else 0, defaults_of(session), choices_of(row))


def _of_defaults(call: Call[Any, None], session: Session, row: PreferenceDefaults | None) -> PreferencesView:
    return _view(call, session, row.version if row else 0, as_defaults(row), Choices())


def _view(call: Call[Any, None], session: Session, version: int, defaults: Defaults, own: Choices) -> PreferencesView:
    mail = cast("Settings", call.runtime.settings).mail_channel() is not None
    missing = {
        channel: call.runtime.messages.text((code,), call.language, {})
        for channel, code in unavailable(session, mail=mail).items()
    }
    return PreferencesView.of(
        version, defaults, own, zone=zone_of(session), unavailable=missing, language=call.language
    )
