"""What the list of opportunities shows, as plain values, and sums of money. Pure functions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

MOST_MONTHS = 36


class OpportunityList(StrEnum):
    """The three lists (L-12), and all of them."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"
    ALL = "all"


class Sort(StrEnum):
    """Orders of the list; ties are broken by id in the same direction. By closed_at only closed ones are listed."""

    NEWEST = "-created_at"
    OLDEST = "created_at"
    LAST_CLOSED = "-closed_at"
    FIRST_CLOSED = "closed_at"
    SOONEST = "expected_on"
    LATEST = "-expected_on"
    LARGEST = "-amount"
    SMALLEST = "amount"

    @property
    def column(self) -> str:
        """What it is sorted by."""
        return self.removeprefix("-")

    @property
    def descends(self) -> bool:
        """Whether the greatest comes first."""
        return self.startswith("-")

    @property
    def is_moment(self) -> bool:
        """Whether every row has a moment to go on from; the others are paged by number alone."""
        return self.column in ("created_at", "closed_at")


@dataclass(frozen=True)
class OpportunityConditions:
    """Conditions of the list, combined with AND. Moments are UTC, `until` ones exclusive; `board`: open ones and those
    closed in that time; `deleted`: those in the recycle bin. `after`: the row after which the list goes on; `backwards`: the order turned round.
    """

    which: OpportunityList = OpportunityList.ALL
    stage: str = ""
    currency: str = ""
    owner_id: UUID | None = None
    customer_id: UUID | None = None
    search: str = ""
    expected_from: date | None = None
    expected_to: date | None = None
    created_from: datetime | None = None
    created_until: datetime | None = None
    closed_from: datetime | None = None
    closed_until: datetime | None = None
    amount_from: Decimal | None = None
    amount_to: Decimal | None = None
    board: bool = False
    deleted: bool = False
    sort: Sort = Sort.NEWEST
    after: tuple[datetime, UUID] | None = None
    backwards: bool = False

    @property
    def descends(self) -> bool:
        """Whether the greatest comes first in the direction read."""
        return self.sort.descends is not self.backwards


@dataclass
class Sums:
    """How many opportunities, and their amounts by currency: nothing is converted."""

    count: int = 0
    amounts: dict[str, Decimal] = field(default_factory=dict)

    def add(self, count: int, currency: str, amount: Decimal | None) -> None:
        """Some more in one currency."""
        self.count += count
        self.amounts[currency] = self.amounts.get(currency, Decimal("0.00")) + (amount or 0)

    def join(self, others: "Sums") -> None:
        """Some more in several."""
        self.count += others.count
        for currency, amount in others.amounts.items():
            self.add(0, currency, amount)


def summed(sums: Mapping[tuple[Any, Any], Sums], place: int) -> dict[Any, Sums]:
    """Sums by two keys as sums by the one at `place`."""
    found: dict[Any, Sums] = {}
    for key, one in sums.items():
        found.setdefault(key[place], Sums()).join(one)
    return found


def within(wanted: OpportunityConditions, moment: str, since: datetime, until: datetime) -> OpportunityConditions:
    """`wanted` narrowed to what was created, or closed (`moment`), in that time."""
    begin, end = f"{moment}_from", f"{moment}_until"
    narrowed: dict[str, Any] = {
        begin: max(since, getattr(wanted, begin) or since),
        end: min(until, getattr(wanted, end) or until),
    }
    return replace(wanted, **narrowed)


def months_between(first: date, last: date) -> list[date]:
    """The first day of each month from that of `first` to that of `last`."""
    months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    return [date(month // 12, month % 12 + 1, 1) for month in months]


def months_before(day: date, months: int) -> date:
    """The first day of the month that lies `months` before that of `day`."""
    month = day.year * 12 + day.month - 1 - months
    return date(month // 12, month % 12 + 1, 1)


def stages_in_order(offered: Iterable[str], kept: Iterable[str], closed: Iterable[str]) -> list[str]:
    """Columns of the board: the stages that can be chosen and those where something lies, the closed ones last."""
    given = dict.fromkeys([*offered, *kept])
    ends = [stage for stage in closed if stage in given]
    return [stage for stage in given if stage not in ends] + ends
