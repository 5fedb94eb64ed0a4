"""Shapes of preferences on the wire."""

from typing import Annotated, Any

from pydantic import Field

from chassis.http.api import Body, TimeOfDay, View
from crm_notify.deliveries.rules import Channel
from crm_notify.notifications.rules import KINDS_OF, Category, Kind
from crm_notify.notifications.texts import name_of_category, name_of_kind
from crm_notify.preferences.rules import MODES, Choices, Defaults, Mode, Source, cell, digest_time

_Name = Annotated[str, Field(max_length=60)]
_Matrix = Annotated[dict[_Name, Annotated[dict[_Name, _Name], Field(max_length=10)]], Field(max_length=200)]
_Locked = Annotated[dict[_Name, Annotated[list[_Name], Field(max_length=10)]], Field(max_length=200)]


class QuietHours(Body):
    """From when until when nothing but the app tells; they may span midnight, equal times mean none."""

    begins: TimeOfDay
    ends: TimeOfDay


class NewPreferences(Body):
    """All that a member chooses; what is left out holds as the defaults say. Times are the organisation's."""

    matrix: _Matrix = Field(default={}, description="kind → channel → mode")
    quiet_hours: QuietHours | None = None
    digest_at: TimeOfDay | None = None

    def values(self) -> dict[str, Any]:
        """By column."""
        quiet = self.quiet_hours
        hours = {"quiet_from": quiet.begins if quiet else None, "quiet_until": quiet.ends if quiet else None}
        return {**self.model_dump(exclude={"quiet_hours"}), **hours}


class NewDefaults(NewPreferences):
    """All that holds for whoever chose nothing else; what is left out holds as Highsea has it."""

    locked: _Locked = Field(default={}, description="kind → channels that members cannot change")


class CellView(View):
    """What holds for one kind on one channel, who says so, and which modes there are."""

    mode: Mode
    source: Source
    locked: bool
    modes: list[Mode]


class KindView(View):
    """One kind of notification with what holds on each channel."""

    kind: Kind
    name: str
    channels: dict[Channel, CellView]


class CategoryView(View):
    """A chapter of kinds, named in the caller's language."""

    category: Category
    name: str
    kinds: list[KindView]


class QuietHoursView(View):
    """Quiet hours and who says so."""

    begins: TimeOfDay
    ends: TimeOfDay
    source: Source


class DigestTimeView(View):
    """When what is told once a day goes out, and who says so."""

    at: TimeOfDay
    source: Source


class PreferencesView(View):
    """What holds now. `version` 0: nothing was ever chosen. Times are of `zone`, the organisation's. `unavailable`: channels
    that tell nobody here, each with the reason in words; what they were to tell is shown in the app.
    """

    version: int
    zone: str
    unavailable: dict[Channel, str]
    categories: list[CategoryView]
    quiet_hours: QuietHoursView | None
    digest: DigestTimeView

    @classmethod
    def of(
        cls,
        version: int,
        defaults: Defaults,
        own: Choices,
        *,
        zone: str,
        unavailable: dict[Channel, str],
        language: str,
    ) -> "PreferencesView":
        """The view for a member who chose `own`; for the defaults themselves nothing."""
        hours = own.quiet or defaults.quiet
        by = Source.OWN if own.quiet else Source.ADMINISTRATOR
        return cls(
            version=version,
            zone=zone,
            unavailable=unavailable,
            categories=[_category(category, defaults, own, language) for category in Category],
            quiet_hours=QuietHoursView(begins=hours[0], ends=hours[1], source=by) if hours else None,
            digest=DigestTimeView(at=digest_time(defaults, own), source=_source_of_digest(defaults, own)),
        )


def _source_of_digest(defaults: Defaults, own: Choices) -> Source:
    if own.digest_at is not None:
        return Source.OWN
    return Source.BUILT_IN if defaults.digest_at == Defaults().digest_at else Source.ADMINISTRATOR


def _category(category: Category, defaults: Defaults, own: Choices, language: str) -> CategoryView:
    kinds = [
        KindView(
            kind=kind,
            name=name_of_kind(kind, language),
            channels={Channel(channel): _cell(kind, Channel(channel), defaults, own) for channel in MODES},
        )
        for kind in KINDS_OF[category]
    ]
    return CategoryView(category=category, name=name_of_category(category, language), kinds=kinds)


def _cell(kind: Kind, channel: Channel, defaults: Defaults, own: Choices) -> CellView:
    found = cell(kind, channel, defaults, own)
    return CellView(mode=found.mode, source=found.source, locked=found.locked, modes=list(MODES[channel]))
