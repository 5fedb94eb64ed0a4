"""Who is told of what over which channel, and when (decision 0035, K-12)."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from chassis.errors import FieldError, invalid
from crm_notify.deliveries.rules import Channel, Way
from crm_notify.notifications.rules import Kind, Wish

# Kind → channel → mode, as stored. Kinds of a newer release may be among them.
Matrix = Mapping[str, Mapping[str, str]]
Hours = tuple[time, time]
DIGEST_AT = time(9)
_KINDS = frozenset[str](Kind)


class Mode(StrEnum):
    """`now`: at once, or after quiet hours; `daily`: once a day with all else of that day."""

    OFF = "off"
    NOW = "now"
    DAILY = "daily"


class Source(StrEnum):
    """Who says so: Highsea, an administrator for everybody, or the member."""

    BUILT_IN = "built_in"
    ADMINISTRATOR = "administrator"
    OWN = "own"


MODES: Mapping[str, tuple[Mode, ...]] = {
    Channel.IN_APP: (Mode.OFF, Mode.NOW),
    Channel.EMAIL: (Mode.OFF, Mode.NOW, Mode.DAILY),
    Channel.ROBOT: (Mode.OFF, Mode.NOW),
}
# What cannot wait until somebody opens the app. Everything is told in the app, nothing by a robot.
_BY_EMAIL = frozenset(
    {Kind.OWNER_LEFT, Kind.CUSTOMERS_EXPIRING, Kind.RECYCLING_HELD, Kind.REVEALS_SURGED, Kind.WORK_DUE}
)
# Of these an operator may choose the channels (C-35): that a member wants none counts, though by default there is none.
_CHOSEN_BY_OPERATORS = frozenset(
    {Kind.CUSTOMERS_ASSIGNED, Kind.CUSTOMERS_TRANSFERRED_IN, Kind.CUSTOMERS_TAKEN_OVER, Kind.CUSTOMERS_RETURNED}
)
OPERATOR_CHOSE = "operator_chose"


@dataclass(frozen=True)
class Choices:
    """What a member chose; None and what the matrix lacks: as the defaults say. Equal quiet hours: none."""

    matrix: Matrix = field(default_factory=dict)
    quiet: Hours | None = None
    digest_at: time | None = None


@dataclass(frozen=True)
class Defaults:
    """What holds for whoever chose nothing else; what the matrix lacks: as Highsea has it. `locked`: kind → channels."""

    matrix: Matrix = field(default_factory=dict)
    locked: Mapping[str, list[str]] = field(default_factory=dict)
    quiet: Hours | None = None
    digest_at: time = DIGEST_AT


@dataclass(frozen=True)
class Cell:
    """One field of the matrix. Members cannot change what is `locked`."""

    mode: Mode
    source: Source
    locked: bool


@dataclass(frozen=True)
class Decision:
    """What becomes of a notice: whether it is shown in the app, and the rows of the ledger."""

    in_app: bool
    ways: tuple[Way, ...]


def cell(kind: Kind, channel: Channel, defaults: Defaults, own: Choices) -> Cell:
    """What holds for a member: their own choice unless it is locked, else the administrator's, else Highsea's."""
    locked = channel in defaults.locked.get(kind, ())
    for source, matrix in ((Source.OWN, {} if locked else own.matrix), (Source.ADMINISTRATOR, defaults.matrix)):
        if (mode := matrix.get(kind, {}).get(channel)) is not None:
            return Cell(Mode(mode), source, locked)
    return Cell(built_in(kind, channel), Source.BUILT_IN, locked)


def built_in(kind: Kind, channel: Channel) -> Mode:
    """What holds where nobody chose."""
    told = channel is Channel.IN_APP or (channel is Channel.EMAIL and kind in _BY_EMAIL)
    return Mode.NOW if told else Mode.OFF


def quiet_hours(defaults: Defaults, own: Choices) -> Hours | None:
    """From when until when nothing leaves the app; None: never."""
    hours = own.quiet or defaults.quiet
    return None if hours is None or hours[0] == hours[1] else hours


def digest_time(defaults: Defaults, own: Choices) -> time:
    """When what is told once a day goes out."""
    return own.digest_at or defaults.digest_at


def decide(
    kind: Kind,
    wish: Wish | None,
    defaults: Defaults,
    own: Choices,
    *,
    lacking: Mapping[Channel, str],
    now: datetime,
    zone: ZoneInfo,
) -> Decision:
    """What becomes of a notice of `kind` for one member.

    `wish` (C-35) stands in for the defaults of the channels it speaks of, not for what the member chose or what is locked.
    `lacking`: channels that cannot reach the member, each with the code that says why; what they were to tell is shown in
    the app. What nobody is told over any channel has one row that says why.
    """

    def way(channel: Channel) -> Way | None:
        mode, code = _wanted(kind, channel, wish, defaults, own)
        if mode is Mode.OFF:
            return Way(channel, now, code=code) if code else None
        if channel in lacking:
            return Way(channel, now, code=lacking[channel])
        slot = next_digest(now, digest_time(defaults, own), zone) if mode is Mode.DAILY else None
        return Way(channel, after_quiet(slot or now, quiet_hours(defaults, own), zone), slot)

    ways = tuple(one for one in (way(Channel.EMAIL), way(Channel.ROBOT)) if one)
    mode, code = _wanted(kind, Channel.IN_APP, wish, defaults, own)
    lost = any(one.code is not None and one.code == lacking.get(one.channel) for one in ways)
    leaves = any(one.code is None for one in ways)
    if mode is Mode.NOW or lost or (code == OPERATOR_CHOSE and not leaves):
        return Decision(in_app=True, ways=ways)
    return Decision(in_app=False, ways=ways if leaves else (*ways, Way(Channel.IN_APP, now, code=code)))


def _wanted(
    kind: Kind, channel: Channel, wish: Wish | None, defaults: Defaults, own: Choices
) -> tuple[Mode, str | None]:
    """How the channel is to be used, and why not; no reason where Highsea itself leaves it out."""
    found = cell(kind, channel, defaults, own)
    wished = {Channel.IN_APP: wish.in_app, Channel.EMAIL: wish.email}.get(channel) if wish else None
    if wished is None or found.locked or found.source is Source.OWN:
        return found.mode, _why_off(found, wished=bool(wished)) if found.mode is Mode.OFF else None
    if wished:
        return Mode.NOW, None
    return Mode.OFF, None if found.mode is Mode.OFF else OPERATOR_CHOSE


def _why_off(found: Cell, *, wished: bool) -> str | None:
    if found.source is Source.OWN:
        return "turned_off"
    by_administrator = found.source is Source.ADMINISTRATOR or (found.locked and wished)
    return "turned_off_by_administrator" if by_administrator else None


def after_quiet(moment: datetime, quiet: Hours | None, zone: ZoneInfo) -> datetime:
    """`moment`, or the end of the quiet hours it falls into (UTC). They may span midnight."""
    if quiet is None:
        return moment
    begins, ends = quiet
    local = moment.astimezone(zone)
    at = local.time()
    if not (begins <= at < ends if begins < ends else at >= begins or at < ends):
        return moment
    day = local.date() if at < ends else local.date() + timedelta(days=1)
    # On the day when clocks go back the hour that comes twice may have ended once already.
    found = [datetime.combine(day, ends, zone).replace(fold=fold).astimezone(moment.tzinfo) for fold in (0, 1)]
    return next((end for end in found if end > moment), moment)


def next_digest(now: datetime, digest_at: time, zone: ZoneInfo) -> datetime:
    """The next moment (UTC) at which what is told once a day goes out: once on each of the organisation's days."""
    today = now.astimezone(zone).date()
    slots = (
        datetime.combine(today + timedelta(days=days), digest_at, zone).astimezone(now.tzinfo) for days in (0, 1, 2)
    )
    return next(slot for slot in slots if slot > now)


def chosen(wanted: Matrix, defaults: Defaults) -> Matrix:
    """What of a member's matrix is kept: the cells that differ from what holds anyway, and all that operators choose for.

    Raises Invalid for kinds, channels and modes that do not exist, and for another mode of a locked cell.
    """
    _require_known(wanted)
    locked = [
        FieldError(_pointer("matrix", kind, channel), "preference_locked")
        for kind, channel, mode in _cells(wanted)
        if (held := cell(Kind(kind), Channel(channel), defaults, Choices())).locked and mode != held.mode
    ]
    if locked:
        raise invalid(*locked)
    kept = {kind: dict(channels) for kind, channels in wanted.items() if kind in _CHOSEN_BY_OPERATORS and channels}
    return {**_differing(wanted, defaults), **kept}


def appointed(wanted: Matrix, locked: Mapping[str, Sequence[str]]) -> tuple[Matrix, Mapping[str, list[str]]]:
    """What of an administrator's matrix and locks is kept. Raises Invalid for what does not exist."""
    _require_known(wanted, locked)
    kept = {kind: sorted(set(channels)) for kind, channels in locked.items() if channels}
    return _differing(wanted, Defaults()), kept


def _differing(wanted: Matrix, defaults: Defaults) -> Matrix:
    kept: dict[str, dict[str, str]] = {}
    for kind, channel, mode in _cells(wanted):
        if mode != cell(Kind(kind), Channel(channel), defaults, Choices()).mode:
            kept.setdefault(kind, {})[channel] = mode
    return kept


def _require_known(matrix: Matrix, locked: Mapping[str, Sequence[str]] | None = None) -> None:
    wrong = [FieldError(_pointer("matrix", kind), "preference_kind_unknown") for kind in matrix if kind not in _KINDS]
    for kind, channel, mode in _cells(matrix):
        allowed: Collection[str] = MODES.get(channel, tuple(MODES))
        if kind in _KINDS and (channel not in MODES or mode not in allowed):
            wrong.append(FieldError(_pointer("matrix", kind, channel), "enum", {"expected": ", ".join(allowed)}))
    for kind, channels in (locked or {}).items():
        if kind not in _KINDS:
            wrong.append(FieldError(_pointer("locked", kind), "preference_kind_unknown"))
        elif not set(channels) <= MODES.keys():
            wrong.append(FieldError(_pointer("locked", kind), "enum", {"expected": ", ".join(MODES)}))
    if wrong:
        raise invalid(*wrong)


def _cells(matrix: Matrix) -> Iterator[tuple[str, str, str]]:
    for kind, channels in matrix.items():
        for channel, mode in channels.items():
            yield kind, channel, mode


def _pointer(*steps: str) -> str:
    return "".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in steps)
