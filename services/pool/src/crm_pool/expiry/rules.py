"""When a customer is taken back: the one function that says so (design §3). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

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


@dataclass(frozen=True)
class Held:
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


@dataclass(frozen=True)
class Verdict:
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


def judge(held: Held, rule: Rule | None, zone: str, calendar: Calendar) -> Verdict:
    """When the customer expires under `rule` (None: none applies to its owner); days are those of the IANA zone `zone`.

    Last touch on day D and a limit of N days: the last day is D+N, at its end it may be taken.
    """
    raise NotImplementedError
