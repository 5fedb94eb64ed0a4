"""When a customer is taken back: the one function that says so (design §3). Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from directory.calendar import Calendar


class ConditionKind(StrEnum):
    """What has to happen within the days of a condition."""

    NO_FOLLOW_UP = "no_follow_up"
    NO_OPPORTUNITY = "no_opportunity"
    NO_DEAL = "no_deal"


class RuleState(StrEnum):
    """A version is drafted, may run in the shadow (影子运行, only recording), is announced, takes effect, ends."""

    DRAFT = "draft"
    SHADOW = "shadow"
    ANNOUNCED = "announced"
    ACTIVE = "active"
    ENDED = "ended"


class Exemption(StrEnum):
    """Why a customer does not expire although a rule applies to its owner."""

    LOCKED = "locked"
    WECOM_FRIEND = "wecom_friend"
    WON = "won"
    OPEN_OPPORTUNITY = "open_opportunity"


@dataclass(frozen=True)
class Condition:
    """`days` for customers of any level that `days_by_level` does not name; None: these do not expire by it."""

    kind: ConditionKind
    days: int | None
    days_by_level: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """A version of a pool's rule. Its conditions are alternatives: the first to run out counts."""

    id: UUID
    pool_id: UUID
    number: int
    conditions: tuple[Condition, ...]
    working_days: bool = False
    exempt_won: bool = True
    exempt_open_opportunity: bool = True
    target_pool_id: UUID | None = None


class Held(NamedTuple):
    """A customer with an owner, and everything that its day depends on; moments are UTC.

    `locked` only while its owner is active. `extension_days`: granted to this owner for this time of holding.
    `not_before`: the day before which a recompute that the owner did not cause must not let it expire.
    """

    held_since: datetime
    last_touch_at: datetime | None = None
    last_opportunity_at: datetime | None = None
    last_deal_at: datetime | None = None
    level: str = ""
    won: bool = False
    open_opportunities: int = 0
    locked: bool = False
    wecom_friend: bool = False
    extension_days: int = 0
    not_before: date | None = None


class Verdict(NamedTuple):
    """When it expires and why. `expires_on` None: it does not, because of `exemptions`, or no condition applies.

    `condition` ran out first: `days` after `since`, the organisation's day of the last touch, opportunity or deal, or of
    the beginning of holding (`touched` False). `floor`: `not_before` made it later.
    """

    expires_on: date | None
    rule: Rule | None = None
    condition: ConditionKind | None = None
    since: date | None = None
    touched: bool = False
    days: int = 0
    extension_days: int = 0
    floor: bool = False
    exemptions: tuple[Exemption, ...] = ()


class Term(NamedTuple):
    """What one condition says of one customer: `days` and `extension_days` after `since` is its last day.

    `touched`: `since` is the day of the touch, opportunity or deal that it asks for; else that of the beginning of holding.
    """

    kind: ConditionKind
    since: date
    touched: bool
    days: int
    extension_days: int
    last_day: date


class Case(NamedTuple):
    """A customer to be judged, by which rule (None: none applies to its owner), in which zone and calendar."""

    held: Held
    rule: Rule | None
    zone: str
    calendar: Calendar

    def verdict(self) -> Verdict:
        """When it expires."""
        return judge(self.held, self.rule, self.zone, self.calendar)

    def terms(self) -> list[Term]:
        """What each condition says of it, whatever exempts it."""
        return terms(self.held, self.rule, self.zone, self.calendar) if self.rule else []


def judge(held: Held, rule: Rule | None, zone: str, calendar: Calendar) -> Verdict:
    """When the customer expires under `rule` (None: none applies to its owner); days are those of the IANA zone `zone`.

    Last touch on day D and a limit of N days: the last day is D+N, at its end it may be taken. Days past the end of the
    calendar are its last one.
    """
    if rule is None:
        return Verdict(None)
    exemptions = tuple(_exemptions(held, rule))
    first = min(terms(held, rule, zone, calendar), key=lambda term: term.last_day, default=None)
    if first is None:
        return Verdict(None, rule, exemptions=exemptions)
    floor = held.not_before is not None and held.not_before > first.last_day
    return Verdict(
        expires_on=None if exemptions else held.not_before if floor else first.last_day,
        rule=rule,
        condition=first.kind,
        since=first.since,
        touched=first.touched,
        days=first.days,
        extension_days=first.extension_days,
        floor=floor,
        exemptions=exemptions,
    )


def days_left(expires_on: date | None, today: date) -> int | None:
    """距到期天数: 0 on the last day, and after it while the customer has not been taken yet. None: it does not expire."""
    return None if expires_on is None else max(0, (expires_on - today).days)


def with_warning(judged: date | None, current: date | None, earliest: date, *, floor: bool) -> date | None:
    """The day to be kept where `current` was: `judged`, but not before `earliest` where that would come as a surprise.

    `floor`: the owner did not cause it; without it that holds for days that appear or come nearer.
    """
    if judged is None or judged == current or judged >= earliest:
        return judged
    surprises = floor or current is None or judged < current
    return earliest if surprises else judged


def terms(held: Held, rule: Rule, zone: str, calendar: Calendar) -> list[Term]:
    """What each condition that applies to the customer's level says of it, in the rule's order."""
    return list(_terms(held, rule, zone, calendar))


def _terms(held: Held, rule: Rule, zone: str, calendar: Calendar) -> Iterator[Term]:
    happened = {
        ConditionKind.NO_FOLLOW_UP: held.last_touch_at,
        ConditionKind.NO_OPPORTUNITY: held.last_opportunity_at,
        ConditionKind.NO_DEAL: held.last_deal_at,
    }
    for condition in rule.conditions:
        days = condition.days_by_level.get(held.level, condition.days)
        if days is None:
            continue
        last = happened[condition.kind]
        touched = last is not None and last > held.held_since
        since = _day_of(last if last is not None and touched else held.held_since, zone)
        last_day = _after(since, days + held.extension_days, rule, calendar)
        yield Term(condition.kind, since, touched, days, held.extension_days, last_day)


def _exemptions(held: Held, rule: Rule) -> Iterator[Exemption]:
    if held.locked:
        yield Exemption.LOCKED
    if held.wecom_friend:
        yield Exemption.WECOM_FRIEND
    if held.won and rule.exempt_won:
        yield Exemption.WON
    if held.open_opportunities > 0 and rule.exempt_open_opportunity:
        yield Exemption.OPEN_OPPORTUNITY


def _after(day: date, days: int, rule: Rule, calendar: Calendar) -> date:
    try:
        return calendar.after(day, days) if rule.working_days else day + timedelta(days=days)
    except OverflowError:
        return date.max


def _day_of(moment: datetime, zone: str) -> date:
    return moment.astimezone(ZoneInfo(zone)).date()
