"""Places, causes, and who may still take a customer. Pure."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from uuid import UUID

from chassis.errors import Conflict, Refusal
from crm_pool.caps.rules import Room

MAX_ASSIGNEES = 5
MAX_CUSTOMERS = 500


class Cause(StrEnum):
    """Why a customer lies where it lies (C-42)."""

    BIRTH = "birth"
    IMPORT = "import"
    CLAIM = "claim"
    ASSIGN = "assign"
    TRANSFER = "transfer"
    RELEASE = "release"
    RECYCLE = "recycle"
    MOVE = "move"
    SUSPEND = "suspend"
    RESUME = "resume"
    HANDOVER = "handover"
    UNDO = "undo"
    RESCHEDULE = "reschedule"
    CONFIRM = "confirm"
    CASCADE = "cascade"
    MERGE = "merge"
    DISPUTE = "dispute"


# What starts a cool-down: losing a customer, not giving it to somebody (design §3).
LOSSES = (Cause.RELEASE, Cause.RECYCLE)
# What takes customers from their owners into a pool: several at once are a release, which can be undone.
RELEASES = (*LOSSES, Cause.HANDOVER)
UNDO_WITHIN = timedelta(hours=72)


class Related(StrEnum):
    """Records around a customer that may go with it to its new owner (H-04)."""

    CONTACTS = "contacts"
    OPPORTUNITIES = "opportunities"
    ORDERS = "orders"


class Distribution(StrEnum):
    """How several members get customers: in turn (依次), or whoever has most room (按库容)."""

    IN_TURN = "in_turn"
    BY_CAPACITY = "by_capacity"


class FormerOwner(StrEnum):
    """What becomes of whoever owned a customer before (H-05): removed (移出), or a collaborator (团队成员)."""

    REMOVED = "removed"
    READER = "reader"
    EDITOR = "editor"


@dataclass(frozen=True)
class Effects:
    """What a change of place does beside it, which customer carries out (decision 0021); None: nothing of the kind.

    `following`: what the new owner takes over. `undoes_version`: the version of the assignment that is taken back.
    """

    following: tuple[Related, ...] | None = None
    former_owner: FormerOwner | None = None
    undoes_version: int | None = None


NO_EFFECTS = Effects()
# Unless the operator chooses otherwise, everything goes to the new owner.
BY_DEFAULT = Effects(tuple(Related), FormerOwner.REMOVED)
# Out of a pool, where contacts have no owner and nothing else is anybody's.
OUT_OF_POOL = Effects((Related.CONTACTS,))


@dataclass(frozen=True)
class Place:
    """With an owner or in a pool: exactly one is set."""

    owner_id: UUID | None = None
    pool_id: UUID | None = None

    def __post_init__(self) -> None:
        if (self.owner_id is None) == (self.pool_id is None):
            raise ValueError("a place is an owner or a pool")


@dataclass
class Allowance:
    """What one claimer may still take (C-38, C-43); counts down as customers are taken.

    `claims_left`: per pool with a daily quota, claims left `today`. `cooling_until`: per customer that the claimer lost, the
    first day on which it may be claimed again.
    """

    member_id: UUID
    today: date
    room: Room
    claims_left: dict[UUID, int] = field(default_factory=dict)
    cooling_until: dict[UUID, date] = field(default_factory=dict)

    def refusals(self, customer_id: UUID, pool_id: UUID, frozen_until: date, *, won: bool) -> list[Refusal]:
        """Every limit in the way: Conflict frozen, cooling_down, daily_quota_reached, holding_cap_reached.

        `frozen_until`: the first day on which anybody may claim it.
        """
        found: list[Refusal] = []
        if self.today < frozen_until:
            found.append(Conflict("frozen", until=frozen_until.isoformat()))
        cooling_until = self.cooling_until.get(customer_id, self.today)
        if self.today < cooling_until:
            found.append(Conflict("cooling_down", until=cooling_until.isoformat()))
        if self.claims_left.get(pool_id, 1) <= 0:
            found.append(Conflict("daily_quota_reached"))
        if not self.room.fits(self.member_id, won=won):
            found.append(Conflict("holding_cap_reached"))
        return found

    def take(self, pool_id: UUID, *, won: bool) -> None:
        """Count one customer claimed from the pool."""
        self.room.take(self.member_id, won=won)
        if pool_id in self.claims_left:
            self.claims_left[pool_id] -= 1


def days_after(day: date, days: int) -> date:
    """The first day on which a customer that was lost, or came into its pool, on `day` may be claimed."""
    return day + timedelta(days=days)


class Turn:
    """Distributes customers to members, ties in the order given (C-11, H-08)."""

    def __init__(
        self,
        member_ids: Sequence[UUID],
        room: Room,
        received: Mapping[UUID, int],
        owned: Mapping[UUID, int] | None = None,
    ) -> None:
        """`received`: how many each has got so far of the batch that goes on here; it is the turn of whoever got fewest.

        `owned`: by capacity instead, of whoever has most room, without caps of whoever owns fewest.
        """
        self._member_ids = member_ids
        self._room = room
        self._received = Counter(received)
        self._owned = None if owned is None else Counter(owned)

    def peek(self, current_owner: UUID | None, barred: Mapping[UUID, str], *, won: bool) -> UUID:
        """Who gets the next customer, which `current_owner` loses; `barred` may not, each with the code why.

        Whoever owns it already, may not get it or has no room is passed over. Raises Conflict same_owner, the code why or
        holding_cap_reached when that leaves nobody.
        """
        others = [id_ for id_ in self._member_ids if id_ != current_owner]
        if not others:
            raise Conflict("same_owner")
        able = [id_ for id_ in others if id_ not in barred]
        if not able:
            raise Conflict(barred[others[0]])
        free = [id_ for id_ in able if self._room.fits(id_, won=won)]
        if not free:
            raise Conflict("holding_cap_reached")
        return min(free, key=self._rank)

    def take(self, member_id: UUID, former_owner: UUID | None, *, won: bool) -> None:
        """Count one customer given to the member: the next one is somebody else's turn."""
        self._received[member_id] += 1
        self._room.take(member_id, former_owner, won=won)
        if self._owned is not None:
            self._owned[member_id] += 1
            if former_owner is not None:
                self._owned[former_owner] -= 1

    def _rank(self, member_id: UUID) -> tuple[float, int]:
        if self._owned is None:
            return self._received[member_id], 0
        left = self._room.left(member_id)
        return -math.inf if left is None else -left, self._owned[member_id]
