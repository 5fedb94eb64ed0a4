"""To whom customers go: who may receive any, and whose turn it is for each."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.errors import Conflict
from crm_pool.assignments.model import Assignment, Change
from crm_pool.assignments.queries import Colleague, Sight
from crm_pool.assignments.rules import Effects, FormerOwner, Turn
from crm_pool.caps.queries import kept_room

Decide = Callable[[Sight, Assignment], Change]


def available(
    sight: Sight, found: Mapping[UUID, Colleague], chosen: Sequence[UUID], at: datetime
) -> tuple[list[UUID], dict[UUID, str]]:
    """Of the members chosen those who may receive customers now, and the others, each with the code why.

    Raises Conflict with the first one's code when nobody is left.
    """
    passed_over = {}
    for member_id in chosen:
        colleague = found.get(member_id)
        if colleague is None or not colleague.assignable:
            passed_over[member_id] = "assignee_inactive"
        elif not sight.scope.reaches(member_id, colleague.department_id):
            passed_over[member_id] = "owner_out_of_reach"
        elif colleague.is_absent(at):
            passed_over[member_id] = "assignee_absent"
    left = [member_id for member_id in chosen if member_id not in passed_over]
    if not left:
        raise Conflict(passed_over[chosen[0]])
    return left, passed_over


def in_turn(
    session: Session,
    member_ids: Sequence[UUID],
    give: Callable[[Assignment, UUID, Effects], Change],
    effects: Effects,
    received: Mapping[UUID, int],
    meant: Mapping[UUID, UUID] | None = None,
) -> Decide:
    """How customers go to the members in turn, each with `effects`, while nobody else can add to what these hold.

    `received`: how many each has got so far of the batch that goes on here. `meant`: for whom alone a customer is meant.
    """
    turn = Turn(member_ids, kept_room(session, member_ids), received)

    def decide(sight: Sight, assignment: Assignment) -> Change:
        former, protection = assignment.owner_id, sight.protections[assignment.customer_id]
        is_kept = former is not None and protection.wecom_friend
        allowed: Collection[UUID] | None = protection.collaborator_ids if is_kept else None
        if meant is not None:
            chosen = {meant[assignment.customer_id]}
            allowed = chosen if allowed is None else chosen.intersection(allowed)
        member_id = turn.peek(former, allowed, won=protection.won)
        _require_present(sight, assignment, effects)
        change = give(assignment, member_id, effects)
        turn.take(member_id, former, won=protection.won)
        return change

    return decide


def _require_present(sight: Sight, assignment: Assignment, effects: Effects) -> None:
    """Nobody who left becomes a collaborator. Raises Conflict former_owner_left."""
    stays = effects.former_owner in (FormerOwner.READER, FormerOwner.EDITOR)
    if stays and assignment.owner_id is not None and not sight.owner_works(assignment):
        raise Conflict("former_owner_left")
