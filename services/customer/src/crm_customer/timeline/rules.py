"""What a timeline is made of, and its order. Pure functions."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class EntryKind(StrEnum):
    """What an entry is about; the first three are activities."""

    FOLLOW_UP = "follow_up"
    LOG = "log"
    REMARK = "remark"
    TASK = "task"
    SCHEDULE = "schedule"
    FILE = "file"
    OPPORTUNITY = "opportunity"
    ORDER = "order"
    PAYMENT = "payment"
    ASSIGNMENT = "assignment"


class Status(StrEnum):
    """Whether something is still to be done about it (活动状态, F-03)."""

    OPEN = "open"
    DONE = "done"


@dataclass(frozen=True, order=True)
class Position:
    """Where an entry stands: the latest first, of one moment by where it comes from, then by id. No two are alike."""

    at: datetime
    source: int
    id: UUID


@dataclass(frozen=True)
class Asked:
    """Which entries: of these kinds (none: all), by a member, with a status; `since` inclusive, `until` exclusive;
    those `after` a position.
    """

    kinds: frozenset[EntryKind] = frozenset()
    member_id: UUID | None = None
    status: Status | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: Position | None = None

    def wants(self, *kinds: EntryKind) -> bool:
        """Whether one of the kinds is asked for."""
        return not self.kinds or not self.kinds.isdisjoint(kinds)

    def holds(self, position: Position, member_id: UUID | None) -> bool:
        """Whether an entry that is done, of a kind asked for, belongs to the list."""
        return (
            self.status is not Status.OPEN
            and (self.member_id is None or member_id == self.member_id)
            and (self.since is None or position.at >= self.since)
            and (self.until is None or position.at < self.until)
            and (self.after is None or position < self.after)
        )
