"""To whom customers go: who may receive any, and whose turn it is for each."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.errors import Conflict
from crm_pool.assignments import queries
from crm_pool.assignments.model import Assignment, Change
from crm_pool.assignments.queries import Sight
from crm_pool.assignments.rules import Distribution, Effects, FormerOwner, Turn
from crm_pool.caps.queries import kept_room
from directory.scope import belongings

Decide = Callable[[Sight, Assignment], Change]


@dataclass(frozen=True)
class Receivers:
    """Members who may get customers, in the order given; `passed_over`: those who get none, each with the code why.

    `near`: whom the actor reaches; `of_pools`: per pool that the actor runs those who belong to it, who may get its
    customers (decision 0025).
    """

    member_ids: Sequence[UUID]
    passed_over: Mapping[UUID, str] = field(default_factory=dict)
    near: Collection[UUID] = ()
    of_pools: Mapping[UUID, Collection[UUID]] = field(default_factory=dict)

    def barred(self, assignment: Assignment) -> dict[UUID, str]:
        """Who of them must not get this customer, each with the code why."""
        able = {*self.near, *(self.of_pools.get(assignment.pool_id, ()) if assignment.pool_id else ())}
        return {id_: "owner_out_of_reach" for id_ in self.member_ids if id_ not in able}


def available(
    session: Session, sight: Sight, chosen: Sequence[UUID], at: datetime, *, of_owners: bool = False
) -> Receivers:
    """Of the members chosen those who may receive customers now; `of_owners`: such as have owners, none out of pools.

    Raises Conflict with the first one's code when nobody is left.
    """
    found = queries.colleagues(session, chosen)
    near = {id_ for id_, one in found.items() if sight.scope.reaches(id_, one.department_id)}
    of_pools = {} if of_owners else _of_pools(session, sight, found.keys() - near)
    able = near.union(*of_pools.values())
    passed_over = {}
    for member_id in chosen:
        colleague = found.get(member_id)
        if colleague is None or not colleague.assignable:
            passed_over[member_id] = "assignee_inactive"
        elif member_id not in able:
            passed_over[member_id] = "owner_out_of_reach"
        elif colleague.is_absent(at):
            passed_over[member_id] = "assignee_absent"
    left = [member_id for member_id in chosen if member_id not in passed_over]
    if not left:
        raise Conflict(passed_over[chosen[0]])
    return Receivers(left, passed_over, near, of_pools)


def in_turn(
    session: Session,
    receivers: Receivers,
    give: Callable[[Assignment, UUID, Effects], Change],
    effects: Effects,
    received: Mapping[UUID, int],
    distribution: Distribution = Distribution.IN_TURN,
    meant: Mapping[UUID, UUID] | None = None,
) -> Decide:
    """How customers go to the members, each with `effects`, while nobody else can add to what these hold.

    `received`: how many each has got so far of the batch that goes on here. `meant`: for whom alone a customer is meant.
    """
    room = kept_room(session, receivers.member_ids)
    by_capacity = distribution is Distribution.BY_CAPACITY
    owned = queries.holdings(session, receivers.member_ids) if by_capacity else None
    turn = Turn(receivers.member_ids, room, received, owned)

    def decide(sight: Sight, assignment: Assignment) -> Change:
        former, protection = assignment.owner_id, sight.protections[assignment.customer_id]
        barred = receivers.barred(assignment)
        if former is not None and protection.wecom_friend:
            strangers = set(receivers.member_ids) - protection.collaborator_ids
            barred |= dict.fromkeys(strangers, "wecom_friend_only_collaborators")
        if meant is not None:
            to = meant[assignment.customer_id]
            barred |= dict.fromkeys(set(receivers.member_ids) - {to}, barred.get(to, "same_owner"))
        member_id = turn.peek(former, barred, won=protection.won)
        _require_present(sight, assignment, effects)
        change = give(assignment, member_id, effects)
        turn.take(member_id, former, won=protection.won)
        return change

    return decide


def _of_pools(session: Session, sight: Sight, member_ids: Collection[UUID]) -> dict[UUID, set[UUID]]:
    """Per pool that the actor runs which of the members belong to it."""
    run = [pool for pool in sight.pools.values() if pool.run_by(sight.scope)]
    if not run or not member_ids:
        return {}
    members = belongings(session, member_ids)
    return {pool.id: {id_ for id_, member in members.items() if pool.admits(member)} for pool in run}


def _require_present(sight: Sight, assignment: Assignment, effects: Effects) -> None:
    """Nobody who left becomes a collaborator. Raises Conflict former_owner_left."""
    stays = effects.former_owner in (FormerOwner.READER, FormerOwner.EDITOR)
    if stays and assignment.owner_id is not None and not sight.owner_works(assignment):
        raise Conflict("former_owner_left")
