"""Places, causes, and who may still take a customer. Pure."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from uuid import UUID

from chassis.errors import Conflict

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

    `room`: customers under the holding cap, None: no cap. `claims_left`: per pool with a daily quota, claims left
    today. `cooling_until`: per customer that the claimer lost, the first day on which it may be claimed again.
    """

    today: date
    room: int | None = None
    claims_left: dict[UUID, int] = field(default_factory=dict)
    cooling_until: dict[UUID, date] = field(default_factory=dict)

    def check(self, customer_id: UUID, pool_id: UUID) -> None:
        """Raises Conflict cooling_down, daily_quota_reached or holding_cap_reached."""
        until = self.cooling_until.get(customer_id)
        if until is not None and self.today < until:
            raise Conflict("cooling_down", until=until.isoformat())
        if self.claims_left.get(pool_id, 1) <= 0:
            raise Conflict("daily_quota_reached")
        if self.room is not None and self.room <= 0:
            raise Conflict("holding_cap_reached")

    def take(self, pool_id: UUID) -> None:
        """Count one customer claimed from the pool."""
        if self.room is not None:
            self.room -= 1
        if pool_id in self.claims_left:
            self.claims_left[pool_id] -= 1


def cooling_ends(lost_on: date, days: int) -> date:
    """The first day on which a customer lost on `lost_on` may be claimed again."""
    return lost_on + timedelta(days=days)


class Turn:
    """Distributes customers to members in turn, in the order given (C-11, H-08)."""

    def __init__(
        self,
        member_ids: Sequence[UUID],
        room: Mapping[UUID, int] | None,
        received: Mapping[UUID, int],
    ) -> None:
        """`room`: how many customers each may still take; None: no holding cap. `received`: how many each has got so
        far of the batch that goes on here; it is the turn of whoever got fewest.
        """
        self._member_ids = member_ids
        self._room = None if room is None else dict(room)
        self._received = Counter(received)

    def peek(self, current_owner: UUID | None, allowed: Collection[UUID] | None) -> UUID:
        """Who gets the next customer, which `current_owner` loses; only `allowed` may, None: anybody.

        Whoever owns it already, may not get it or has no room is passed over. Raises Conflict same_owner,
        wecom_friend_only_collaborators or holding_cap_reached when that leaves nobody.
        """
        others = [id_ for id_ in self._member_ids if id_ != current_owner]
        if not others:
            raise Conflict("same_owner")
        able = [id_ for id_ in others if allowed is None or id_ in allowed]
        if not able:
            raise Conflict("wecom_friend_only_collaborators")
        free = [id_ for id_ in able if self._room is None or self._room[id_] > 0]
        if not free:
            raise Conflict("holding_cap_reached")
        return min(free, key=self._received.__getitem__)

    def take(self, member_id: UUID, former_owner: UUID | None) -> None:
        """Count one customer given to the member: the next one is somebody else's turn."""
        self._received[member_id] += 1
        for id_, change in ((member_id, -1), (former_owner, 1)):
            if self._room is not None and id_ in self._room:
                self._room[id_] += change
