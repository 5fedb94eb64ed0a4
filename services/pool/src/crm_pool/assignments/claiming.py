"""领取: who may claim what now. The command decides by it, the explanation shows it: there is no second copy."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.days import day_of
from chassis.errors import Conflict, Forbidden, Refusal
from crm_pool.assignments import queries
from crm_pool.assignments.model import Assignment
from crm_pool.assignments.queries import Sight
from crm_pool.assignments.rules import Allowance, days_after
from crm_pool.caps.queries import Caps, caps_of
from crm_pool.caps.rules import Room
from crm_pool.pools.model import Pool
from directory.permissions import Permission
from directory.scope import zone_of


@dataclass(frozen=True)
class Limits:
    """What limits a claimer at all: their cap, and the quotas and cool-downs of the pools they belong to."""

    caps: Caps
    quotas: Mapping[UUID, int]
    cool_downs: Mapping[UUID, int]

    @property
    def are_counted(self) -> bool:
        """Whether one claim leaves less for the next."""
        return bool(self.caps.of or self.quotas)


@dataclass(frozen=True)
class Claimer:
    """A member who claims, in the IANA zone in which days are counted."""

    sight: Sight
    zone: str
    allowance: Allowance

    def refusals(self, assignment: Assignment) -> list[Refusal]:
        """Every reason why the member's claim would be refused; empty: it is theirs."""
        refusal = assignment.unclaimable()
        if refusal is not None or assignment.pool_id is None:
            return [refusal] if refusal else []
        pool = self.sight.pools[assignment.pool_id]
        came_on = day_of(assignment.held_since, self.zone)
        won = self.sight.protections[assignment.customer_id].won
        limits = self.allowance.refusals(
            assignment.customer_id, pool.id, days_after(came_on, pool.freeze_days), won=won
        )
        return _barred(pool, self.sight) + limits


def limits_of(session: Session, sight: Sight) -> Limits:
    """What limits the member of this sight."""
    pools = [pool for pool in sight.pools.values() if pool.admits(sight.scope)]
    return Limits(
        caps_of(session, [sight.scope.member_id]),
        {pool.id: pool.daily_claim_quota for pool in pools if pool.daily_claim_quota},
        {pool.id: pool.cool_down_days for pool in pools if pool.cool_down_days},
    )


def claimer(
    session: Session, sight: Sight, limits: Limits, at: datetime, zone: str, assignments: Collection[Assignment]
) -> Claimer:
    """The member of this sight, about to claim some of `assignments`.

    What they lost is read after the rows are locked: a release that is just happening counts.
    """
    me, today = sight.scope.member_id, day_of(at, zone)
    pools = {one.customer_id: one.pool_id for one in assignments if one.pool_id}
    stands = queries.Standing()
    if limits.are_counted or limits.cool_downs:
        stands = queries.standing(session, me, today, pools, limits.caps)
    room = Room({id_: cap - stands.owned for id_, cap in limits.caps.of.items()}, counts_won=limits.caps.count_won)
    left = {pool_id: max(0, quota - stands.claims.get(pool_id, 0)) for pool_id, quota in limits.quotas.items()}
    cooling = {
        id_: days_after(day_of(lost_at, zone), limits.cool_downs.get(pools[id_], 0))
        for id_, lost_at in stands.losses.items()
    }
    return Claimer(sight, zone, Allowance(me, today, room, left, cooling))


def allowance_of(session: Session, actor_id: UUID, at: datetime) -> tuple[Allowance, list[Pool]]:
    """What the member may still claim today, and the pools from which they may, the default one first."""
    sight = queries.sight_of(session, actor_id)
    me = claimer(session, sight, limits_of(session, sight), at, zone_of(session), [])
    pools = [pool for pool in sight.pools.values() if not _barred(pool, sight)]
    return me.allowance, pools


def claim_refusals(session: Session, actor_id: UUID, assignment: Assignment, at: datetime) -> list[Refusal]:
    """Every reason why the member's claim of the customer would be refused now, for the explanation; empty: it would not.

    Whether the member sees it is not asked here.
    """
    sight = queries.about(session, queries.sight_of(session, actor_id), [assignment])
    me = claimer(session, sight, limits_of(session, sight), at, zone_of(session), [assignment])
    may = sight.scope.may(Permission.POOL_CLAIM)
    right: list[Refusal] = [] if may else [Forbidden("forbidden", permission=Permission.POOL_CLAIM)]
    return right + me.refusals(assignment)


def _barred(pool: Pool, sight: Sight) -> list[Refusal]:
    if not pool.pool_kind.claimable:
        return [Conflict("not_claimable")]
    return [] if pool.admits(sight.scope) else [Conflict("not_pool_member")]
