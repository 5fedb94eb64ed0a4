"""Who owns which customer, or in which pool it lies: the only place where that is decided (design rule 1)."""

from dataclasses import dataclass, fields
from datetime import date, datetime
from functools import lru_cache
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import BigInteger, CheckConstraint, Date, DateTime, Index, false, text
from sqlalchemy.orm import Mapped, mapped_column

from chassis.errors import Conflict
from crm.common.v1.place_pb2 import Place as PlaceMessage
from crm.pool.v1 import pool_events_pb2 as pb
from crm_pool.assignments.rules import (
    BY_DEFAULT,
    NO_EFFECTS,
    OUT_OF_POOL,
    Cause,
    Effects,
    Place,
)
from crm_pool.database import Base


class AssignmentRow(Base):
    """The table of assignments, for queries alone: read as `Assignment`, written set-wise by `recording.record`."""

    __tablename__ = "assignments"
    __table_args__ = (
        CheckConstraint("num_nonnulls(owner_id, pool_id) = 1", name="place"),
        Index("ix_assignments_owner_id", "owner_id", postgresql_where=text("owner_id IS NOT NULL AND NOT suspended")),
        Index(
            "ix_assignments_pool_id_held_since",
            "pool_id",
            "held_since",
            "customer_id",
            postgresql_where=text("pool_id IS NOT NULL AND NOT suspended"),
        ),
        Index(
            "ix_assignments_expires_on",
            "expires_on",
            "customer_id",
            postgresql_where=text("expires_on IS NOT NULL AND owner_id IS NOT NULL AND NOT suspended"),
        ),
    )

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    owner_id: Mapped[UUID | None]
    pool_id: Mapped[UUID | None]
    held_since: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_on: Mapped[date | None] = mapped_column(Date)
    suspended: Mapped[bool]
    home_pool_id: Mapped[UUID | None]
    had_owner: Mapped[bool] = mapped_column(server_default=false())
    not_before: Mapped[date | None] = mapped_column(Date)


@dataclass(slots=True)
class Assignment:
    """Where one customer lies (归属), stored or just born.

    `held_since` (UTC) starts the clock; `home_pool_id` is the pool it was last claimed or assigned from, else the
    one named at birth; `suspended` while the customer is deleted; `had_owner`: in a pool it is a recycled customer (再生客户,
    C-40). `not_before`: the earliest day that a recompute which the owner did not cause may let it expire on; ends with the
    owner. `version` counts from 1. Each method is one business act: it checks, changes and returns the change, or raises
    Conflict and changes nothing.
    """

    customer_id: UUID
    version: int
    owner_id: UUID | None
    pool_id: UUID | None
    held_since: datetime
    expires_on: date | None
    suspended: bool
    home_pool_id: UUID | None
    had_owner: bool
    not_before: date | None = None

    @staticmethod
    def born(
        customer_id: UUID,
        place: Place,
        at: datetime,
        cause: Cause,
        *,
        suspended: bool = False,
        version: int = 1,
        expires_on: date | None = None,
    ) -> "Change":
        """A customer's first place, version 1 unless a restore lost those before. `expires_on`: the day that a plan promised."""
        born = Assignment(
            customer_id=customer_id,
            version=version,
            owner_id=place.owner_id,
            pool_id=place.pool_id,
            held_since=at,
            expires_on=expires_on,
            suspended=suspended,
            home_pool_id=place.pool_id,
            had_owner=place.owner_id is not None,
        )
        return Change(born, None, cause)

    @property
    def place(self) -> Place:
        """Where it lies."""
        return Place(self.owner_id, self.pool_id)

    def state(self) -> pb.AssignmentState:
        """Its whole state, as other services read it."""
        state = common_state(
            self.place, self.held_since, self.expires_on, suspended=self.suspended, had_owner=self.had_owner
        )
        state.customer_id, state.version = str(self.customer_id), self.version
        return state

    def unclaimable(self) -> Conflict | None:
        """Why nobody at all can claim it: suspended or already_owned (C-37); None: it lies in a pool."""
        if self.suspended:
            return Conflict("suspended")
        return None if self.owner_id is None else Conflict("already_owned")

    def claim(self, member_id: UUID, at: datetime) -> "Change":
        """领取: a member takes an ownerless customer. Raises what `unclaimable` says."""
        if refusal := self.unclaimable():
            raise refusal
        return self._give_to(member_id, Cause.CLAIM, at, OUT_OF_POOL)

    def assign(self, member_id: UUID, at: datetime, chosen: Effects) -> "Change":
        """分配: somebody entitled gives the customer, owned or not, to a member. Raises Conflict suspended, same_owner."""
        self._require_active()
        if self.owner_id == member_id:
            raise Conflict("same_owner")
        return self._give_to(member_id, Cause.ASSIGN, at, OUT_OF_POOL if self.owner_id is None else chosen)

    def transfer(self, member_id: UUID, at: datetime, chosen: Effects) -> "Change":
        """转移: an owned customer gets another owner. Raises Conflict suspended, not_owned or same_owner."""
        self._require_active()
        if self.owner_id is None:
            raise Conflict("not_owned")
        if self.owner_id == member_id:
            raise Conflict("same_owner")
        return self._give_to(member_id, Cause.TRANSFER, at, chosen)

    def release(self, pool_id: UUID, at: datetime, *, wecom_friend: bool) -> "Change":
        """放入客户池: the owner loses the customer to a pool.

        Raises Conflict suspended, already_in_pool or wecom_friend_protected (C-27).
        """
        self._require_active()
        if self.owner_id is None:
            raise Conflict("already_in_pool")
        if wecom_friend:
            raise Conflict("wecom_friend_protected")
        return self._put(Place(pool_id=pool_id), Cause.RELEASE, at)

    def hand_over(self, to: Place, at: datetime) -> "Change":
        """交接: its owner has left and loses it to a pool, or to a member with everything around it.

        Raises Conflict suspended or already_in_pool.
        """
        self._require_active()
        if self.owner_id is None:
            raise Conflict("already_in_pool")
        return self._put(to, Cause.HANDOVER, at, BY_DEFAULT if to.owner_id else NO_EFFECTS)

    def cascade(self, pool_id: UUID, at: datetime) -> "Change":
        """Nobody claimed it in time: on to the next pool. Raises Conflict suspended, not_in_pool or same_pool."""
        return self._put_into_other(pool_id, Cause.CASCADE, at)

    def give_back(self, owner_id: UUID, released: int, at: datetime) -> "Change":
        """A release, which made the version `released`, is undone: back to its former owner with a fresh clock, never
        failing on a cap. Whether anything but its day has changed since is for the caller to see.
        """
        return self._put(Place(owner_id=owner_id), Cause.UNDO, at, Effects(undoes_version=released))

    def merge(self, member_id: UUID, at: datetime) -> "Change":
        """合并: a customer of the member's became a part of this one, which lies in a pool (decision 0033). Never fails on a
        cap. Raises what `unclaimable` says.
        """
        if refusal := self.unclaimable():
            raise refusal
        return self._give_to(member_id, Cause.MERGE, at, OUT_OF_POOL)

    def award(self, member_id: UUID, at: datetime) -> "Change":
        """撞单: a dispute was decided for the member, who takes over all that goes with it (decision 0032). Never fails on a cap,
        a quota or a cool-down. Raises Conflict suspended, same_owner.
        """
        self._require_active()
        if self.owner_id == member_id:
            raise Conflict("same_owner")
        return self._give_to(member_id, Cause.DISPUTE, at, OUT_OF_POOL if self.owner_id is None else BY_DEFAULT)

    def move(self, pool_id: UUID, at: datetime) -> "Change":
        """From pool to pool. Raises Conflict suspended, not_in_pool or same_pool."""
        return self._put_into_other(pool_id, Cause.MOVE, at)

    def confirm(self, pool_id: UUID, at: datetime) -> "Change":
        """认定为有效: a prospect goes to a to-be-assigned pool (C-09). Raises Conflict suspended or not_in_pool."""
        return self._put_into_other(pool_id, Cause.CONFIRM, at)

    def suspend(self) -> "Change":
        """The customer was deleted: no caps, no claims; the place is kept for its return."""
        self.suspended = True
        self.version += 1
        return Change(self, self.place, Cause.SUSPEND)

    def resume(self, place: Place, at: datetime) -> "Change":
        """The customer came back: to `place`, with a fresh clock. Never fails on a cap."""
        self.suspended = False
        return self._put(place, Cause.RESUME, at)

    def reschedule(self, expires_on: date | None, not_before: date | None) -> "Change":
        """Nothing but the day changes on which it expires, and that before which it does not (decision 0023)."""
        self.expires_on, self.not_before = expires_on, not_before
        self.version += 1
        return Change(self, self.place, Cause.RESCHEDULE)

    def _require_active(self) -> None:
        if self.suspended:
            raise Conflict("suspended")

    def _put_into_other(self, pool_id: UUID, cause: Cause, at: datetime) -> "Change":
        self._require_active()
        if self.pool_id is None:
            raise Conflict("not_in_pool")
        if self.pool_id == pool_id:
            raise Conflict("same_pool")
        return self._put(Place(pool_id=pool_id), cause, at)

    def _give_to(self, member_id: UUID, cause: Cause, at: datetime, effects: Effects) -> "Change":
        self.home_pool_id = self.pool_id or self.home_pool_id
        return self._put(Place(owner_id=member_id), cause, at, effects)

    def _put(self, place: Place, cause: Cause, at: datetime, effects: Effects = NO_EFFECTS) -> "Change":
        change = Change(self, self.place, cause, effects)
        self.owner_id, self.pool_id, self.held_since = place.owner_id, place.pool_id, at
        self.had_owner = self.had_owner or place.owner_id is not None
        self.not_before = None
        self.version += 1
        return change


# The table's columns in the order of the fields.
FIELDS = tuple(one.name for one in fields(Assignment))
COLUMNS = tuple(AssignmentRow.__table__.c[name] for name in FIELDS)


@dataclass(frozen=True)
class Change:
    """What an act made of an assignment; `previous` is None at birth.

    `reason_id`, `reason_note`: why its owner gave it up.
    """

    assignment: Assignment
    previous: Place | None
    cause: Cause
    effects: Effects = NO_EFFECTS
    reason_id: UUID | None = None
    reason_note: str | None = None

    def message(self, customer_name: str = "") -> pb.AssignmentChange:
        """The change, as other services read it."""
        return pb.AssignmentChange(
            state=self.assignment.state(),
            previous=place_message(self.previous) if self.previous else None,
            customer_name=customer_name,
            effects=effects_message(self.effects),
        )


def common_state(
    place: Place, held_since: datetime, expires_on: date | None, *, suspended: bool = False, had_owner: bool
) -> pb.AssignmentState:
    """What customers that lie alike have in common (decision 0037): everything but customer_id and version."""
    return pb.AssignmentState(
        place=place_message(place),
        held_since=_timestamp(held_since),
        expires_on=expires_on.isoformat() if expires_on else "",
        suspended=suspended,
        had_owner=had_owner,
    )


@lru_cache(maxsize=256)
def _timestamp(moment: datetime) -> Timestamp:
    """For thousands that begin at one moment. Messages take a copy."""
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp


def effects_message(effects: Effects) -> pb.Effects | None:
    """The effects as other services read them; None: there are none."""
    if effects == NO_EFFECTS:
        return None
    former_owner = effects.former_owner.name if effects.former_owner else "UNSPECIFIED"
    return pb.Effects(
        following=[pb.Related.Value(f"RELATED_{one.name}") for one in effects.following or ()],
        former_owner=pb.FormerOwner.Value(f"FORMER_OWNER_{former_owner}"),
        undoes_version=effects.undoes_version or 0,
    )


def place_message(place: Place) -> PlaceMessage:
    """The place as other services read it."""
    if place.owner_id is not None:
        return PlaceMessage(owner_id=str(place.owner_id))
    return PlaceMessage(pool_id=str(place.pool_id))


def place_of(message: PlaceMessage) -> Place | None:
    """The place in a message, None when it names none. Raises ValueError for an id that is no UUID."""
    kind = message.WhichOneof("kind")
    return None if kind is None else _place(kind, getattr(message, kind))


@lru_cache(maxsize=1024)
def _place(kind: str, id_: str) -> Place:
    """For thousands that lie in few places."""
    return Place(**{kind: UUID(id_)})
