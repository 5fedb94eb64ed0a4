"""Which customers are compared with each other, and how pairs become groups. Pure functions."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import combinations, pairwise, product
from uuid import UUID

MOST_IN_GROUP = 10
# So many who share a key are compared each with each; of more, each with the next.
MOST_HOLDERS = 50

Two = tuple[UUID, UUID]


class Status(StrEnum):
    """Where a scan stands: blocking keys of all customers, comparing those who share one, joining pairs; and how it ended."""

    KEYING = "keying"
    COMPARING = "comparing"
    GROUPING = "grouping"
    FINISHED = "finished"
    CANCELLED = "cancelled"


ACTIVE = (Status.KEYING, Status.COMPARING, Status.GROUPING)


class GroupStatus(StrEnum):
    """What became of a group."""

    OPEN = "open"
    MERGED = "merged"
    DISMISSED = "dismissed"


@dataclass(frozen=True)
class Pair:
    """Two customers that are likely one company."""

    first: UUID
    second: UUID
    score: float
    reasons: tuple[str, ...]


@dataclass
class Group:
    """Customers that are likely one company; of each the best pair that it is in. `score`: the best of all."""

    score: float
    members: dict[UUID, Pair] = field(default_factory=dict)


def in_order(one: UUID, other: UUID) -> Two:
    """A pair as it is kept: the smaller id first."""
    return (one, other) if one < other else (other, one)


def compared(holders: Sequence[UUID]) -> Iterator[Two]:
    """Which of those who share a key are compared."""
    chosen = combinations(holders, 2) if len(holders) <= MOST_HOLDERS else pairwise(holders)
    return (in_order(*two) for two in chosen)


def grouped(pairs: Iterable[Pair], distinct: Collection[Two]) -> list[Group]:
    """Groups out of pairs, which come best first: of at most ten, and never with two that somebody has said to be distinct."""
    groups: dict[UUID, Group] = {}
    for pair in pairs:
        one = groups.get(pair.first) or Group(pair.score, {pair.first: pair})
        other = groups.get(pair.second) or Group(pair.score, {pair.second: pair})
        if one is other or not _may_join(one, other, distinct):
            continue
        joined = Group(max(one.score, other.score), one.members | other.members)
        groups |= dict.fromkeys(joined.members, joined)
    return list({id(group): group for group in groups.values()}.values())


def _may_join(one: Group, other: Group, distinct: Collection[Two]) -> bool:
    if len(one.members) + len(other.members) > MOST_IN_GROUP:
        return False
    return not any(in_order(*two) in distinct for two in product(one.members, other.members))
