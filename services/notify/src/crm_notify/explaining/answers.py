"""What became of notifications, and what holds for a member, in the words of whoever asks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from chassis.wording import Messages
from crm_notify.deliveries.model import Delivery
from crm_notify.deliveries.rules import Channel, Status
from crm_notify.deliveries.views import reason_of
from crm_notify.explaining.queries import About
from crm_notify.explaining.rules import (
    Found,
    Outcome,
    Sending,
    Sight,
    outcome_in_app,
    outcome_of,
    outcome_without_row,
    remarks_on_nothing,
)
from crm_notify.explaining.texts import receivers_of, texts
from crm_notify.explaining.views import ChannelOutcome, ChannelPreference
from crm_notify.notifications.model import Notification
from crm_notify.notifications.rules import Kind
from crm_notify.preferences.rules import MODES, Cell, Mode, cell
from crm_notify.telling.rules import HEARD_IN_PLACE

_CHANNELS = tuple(map(Channel, MODES))


@dataclass(frozen=True)
class Asked:
    """In which language it is asked, in which zone moments are written, and when."""

    language: str
    messages: Messages
    zone: ZoneInfo
    now: datetime

    @property
    def words(self) -> Mapping[str, Mapping[str, str]]:
        """The words of the language, by chapter."""
        return texts(self.language)


def outcomes(asked: Asked, row: Notification, deliveries: Sequence[Delivery], about: About) -> Iterator[ChannelOutcome]:
    """What became of a notification on each channel. Where the ledger has no row, the preferences of now stand in."""
    withheld = next((delivery for delivery in deliveries if delivery.channel == Channel.IN_APP), None)
    sight = Sight(row.in_app, withheld is not None, row.created_at, row.read_at, row.snoozed_until, row.dismissed_at)
    yield _outcome(asked, Channel.IN_APP, outcome_in_app(sight), withheld)
    sent = [delivery for delivery in deliveries if delivery is not withheld]
    for delivery in sent:
        yield _outcome(asked, delivery.channel, outcome_of(_sending(delivery), asked.now), delivery)
    used = {Channel.IN_APP, *(delivery.channel for delivery in sent)}
    for channel in (channel for channel in _CHANNELS if channel not in used):
        holds = cell(Kind(row.kind), channel, about.defaults, about.own)
        yield _outcome(asked, channel, (outcome_without_row(holds.mode), None), None, holds)


def _sending(row: Delivery) -> Sending:
    return Sending(
        status=Status(row.status),
        digest=row.digest_id is not None,
        failed_before=row.last_error_code is not None,
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at,
        sent_at=row.sent_at,
    )


def _outcome(
    asked: Asked, channel: str, found: Found, row: Delivery | None, holds: Cell | None = None
) -> ChannelOutcome:
    outcome, at = found
    text = asked.words["outcomes"][outcome].format(
        at=at.astimezone(asked.zone).strftime("%Y-%m-%d %H:%M") if at else "",
        why=(reason_of(row.last_error_code, asked.messages, asked.language) if row else None) or "",
        attempts=row.attempts if row else 0,
        source=asked.words["sources"][holds.source] if holds else "",
    )
    return ChannelOutcome(
        channel=channel,
        outcome=outcome,
        at=at,
        reason_code=row.last_error_code if row else None,
        delivery_id=row.id if row and outcome is not Outcome.NOT_SHOWN_BECAUSE else None,
        text=text,
    )


def preferences(asked: Asked, kind: Kind, about: About) -> list[ChannelPreference]:
    """What holds now for the member on each channel, and who says so."""
    words = asked.words
    return [
        ChannelPreference(
            channel=channel,
            mode=holds.mode,
            source=holds.source,
            locked=holds.locked,
            text=f"{words['channels'][channel]}: {words['modes'][holds.mode]} ({words['sources'][holds.source]})",
        )
        for channel, holds in _cells(kind, about).items()
    ]


def remarks(asked: Asked, kind: Kind, about: About, *, found: bool, mail_configured: bool) -> Iterator[str]:
    """Sentences on what else can be the reason; more of them where nothing was `found`."""
    words = asked.words["remarks"]
    if not found:
        names = remarks_on_nothing(
            active=about.active, heard_in_place=kind in HEARD_IN_PLACE, has_manager=about.manager is not None
        )
        for name in names:
            yield words[name].format(receivers=receivers_of(kind, asked.language), manager=about.manager)
    if all(holds.mode is Mode.OFF for holds in _cells(kind, about).values()):
        yield words["all_off"]
    if not mail_configured:
        yield words["mail_off"]
    elif not about.has_address:
        yield words["no_address"]


def _cells(kind: Kind, about: About) -> Mapping[Channel, Cell]:
    return {channel: cell(kind, channel, about.defaults, about.own) for channel in _CHANNELS}
