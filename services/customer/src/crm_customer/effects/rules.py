"""What a change of place does to the records around a customer, and what its undo restores (decision 0021). Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

# Kind and id of a record: a contact, an opportunity, an order, the member of a collaborator or a star, the customer of a lock.
Key = tuple[str, UUID]
# Columns of a record as JSON holds them; None: there is none.
Values = Mapping[str, Any] | None
CONTACT, OPPORTUNITY, ORDER, COLLABORATOR, STAR, LOCK = (
    "contact",
    "opportunity",
    "order",
    "collaborator",
    "star",
    "lock",
)
# Records that have an owner of their own.
OWNED = (CONTACT, OPPORTUNITY, ORDER)


@dataclass(frozen=True)
class Move:
    """One version of an assignment: from whom, to whom (None: a pool), and what was chosen for the rest.

    `following`: which of OWNED follow, those of the former owner and of nobody (H-04). `former_can_write`: the former owner becomes a collaborator who
    writes or reads, None: does not (H-05). `undoes`: the version that is taken back.
    """

    customer_id: UUID
    version: int
    actor_id: UUID | None
    moved: bool
    former: UUID | None
    owner: UUID | None
    following: Collection[str]
    former_can_write: bool | None = None
    undoes: int = 0

    @property
    def still(self) -> bool:
        """Whether it does nothing to other records: it moves nothing and takes nothing back, as where only the day changes."""
        return not self.moved and not self.undoes


@dataclass(frozen=True)
class Effect:
    """What one version changed on one record."""

    version: int
    record: str
    record_id: UUID
    before: Values
    after: Values

    @property
    def key(self) -> Key:
        """Which record."""
        return self.record, self.record_id


def due(moves: Iterable[Move], reached: int, *, complete: bool) -> list[Move]:
    """Of one customer's moves those to apply after version `reached`, each once, in order, up to the first gap.

    `complete`: nothing is missing between them, whatever their versions.
    """
    found: list[Move] = []
    for move in sorted(moves, key=lambda one: one.version):
        if move.version <= reached:
            continue
        if not complete and move.version != reached + 1:
            break
        found.append(move)
        reached = move.version
    return found


def effects_of(
    move: Move, around: Mapping[Key, Values], undone: Iterable[Effect], active: Collection[UUID], moment: str
) -> list[Effect]:
    """What the move changes of the records `around` the customer. `undone`: what the version it takes back changed;
    `active`: members who have not left; `moment`: now.
    """
    wanted: dict[Key, Values] = {}
    if move.undoes:
        wanted = _restored(move, around, undone)
    elif move.moved and move.owner is None:
        wanted = _left_alone(around)
    elif move.moved:
        wanted = _taken_over(move, around, active, moment)
    return [
        Effect(move.version, *key, before=around.get(key), after=values)
        for key, values in wanted.items()
        if around.get(key) != values
    ]


def _restored(move: Move, around: Mapping[Key, Values], undone: Iterable[Effect]) -> dict[Key, Values]:
    """What was there before, except of records that are no longer as the undone version left them."""
    before = {one.key: one.before for one in undone if around.get(one.key) == one.after}
    return before if move.owner is None else before | {(COLLABORATOR, move.owner): None}


def _left_alone(around: Mapping[Key, Values]) -> dict[Key, Values]:
    """In a pool: contacts, opportunities and orders lose their owner, collaborators and the lock end."""
    return {
        key: {"owner_id": None} if key[0] in OWNED else None
        for key, values in around.items()
        if key[0] != STAR and values is not None
    }


def _taken_over(move: Move, around: Mapping[Key, Values], active: Collection[UUID], moment: str) -> dict[Key, Values]:
    owner, former = move.owner, move.former
    assert owner is not None
    follow = {None, str(former)} if former else {None}
    wanted: dict[Key, Values] = {
        key: {"owner_id": str(owner)}
        for key, values in around.items()
        if key[0] in OWNED and key[0] in move.following and values and values["owner_id"] in follow
    }
    wanted[COLLABORATOR, owner] = None
    if former is not None:
        if move.former_can_write is not None and former in active:
            adder = str(move.actor_id or former)
            wanted[COLLABORATOR, former] = {
                "can_write": move.former_can_write,
                "until": None,
                "added_by": adder,
                "added_at": moment,
            }
        star = around.get((STAR, former))
        if star is not None:
            # Whoever has a star of their own keeps that one (C-25).
            wanted[STAR, former] = None
            wanted[STAR, owner] = around.get((STAR, owner)) or star
    return wanted
