"""Who may open, decide and withdraw a collision (撞单, decision 0032). Pure functions."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

MOST_OPEN = 20


class Kind(StrEnum):
    """What is asked for: to work on it too, or to have it."""

    COLLABORATE = "collaborate"
    DISPUTE = "dispute"


class Status(StrEnum):
    """`granted`: whoever asked has got something; `declined`: it stays as it was."""

    OPEN = "open"
    GRANTED = "granted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


class Outcome(StrEnum):
    """What was decided: it stays, the asker works on it too, has it, or both records are to be merged."""

    KEEP = "keep"
    COLLABORATE = "collaborate"
    GIVE = "give"
    MERGE = "merge"

    @property
    def status(self) -> Status:
        """What it makes of the collision."""
        return Status.DECLINED if self is Outcome.KEEP else Status.GRANTED


OUTCOMES = {
    Kind.COLLABORATE: frozenset({Outcome.KEEP, Outcome.COLLABORATE}),
    Kind.DISPUTE: frozenset(Outcome),
}


@dataclass(frozen=True)
class Standing:
    """How a member stands to a customer: owns it, works on it as a collaborator, disposes of its owner's customers (right
    and department), asked for it; and whether the customer is anybody's.
    """

    owns: bool
    collaborates: bool
    disposes: bool
    asked: bool
    owned: bool


def refusal(kind: Kind, asker: Standing) -> str:
    """Why the member may not open a collision about a customer; empty: they may."""
    if asker.owns:
        return "customer_is_yours"
    if not asker.owned:
        return "claim_instead"
    if kind is Kind.COLLABORATE and asker.collaborates:
        return "already_collaborator"
    return ""


def may_decide(kind: Kind, one: Standing) -> bool:
    """Whether a member decides it: nobody who asked; of collaboration its owner, or whoever disposes of it; of a dispute
    the latter alone, and no side.
    """
    if one.asked:
        return False
    return one.owns or one.disposes if kind is Kind.COLLABORATE else one.disposes and not one.owns


def deciders(kind: Kind, owner_id: UUID, owner_active: bool, manager_id: UUID | None, asked_by: UUID) -> list[UUID]:
    """Who is told that a collision waits: of collaboration the owner, else, and of disputes, the owner's manager."""
    owner = [owner_id] if kind is Kind.COLLABORATE and owner_active else []
    manager = [manager_id] if manager_id is not None else []
    return [one for one in owner or manager if one != asked_by]
