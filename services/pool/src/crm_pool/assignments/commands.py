"""Claim, assign, transfer, release, move: one transaction each, per-row answers, set-wise statements (design rule 7).

Lock order, so that nothing deadlocks: target pool, members whose customers are counted, assignments in id order.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast
from uuid import UUID

from sqlalchemy import Table
from sqlalchemy.orm import Session

from chassis.database.rows import insert_rows
from chassis.errors import Conflict, NotFound
from crm_pool.assignments import queries
from crm_pool.assignments.claiming import claimer, limits_of
from crm_pool.assignments.deciding import Order, Outcome, decide_all, decide_each
from crm_pool.assignments.model import Assignment, Change
from crm_pool.assignments.queries import Sight
from crm_pool.assignments.recording import locked
from crm_pool.assignments.records import LedgerEntry
from crm_pool.assignments.rules import Distribution, Effects
from crm_pool.assignments.turns import Decide, Receivers, available, in_turn
from crm_pool.caps.queries import lock_members
from crm_pool.pools.commands import default_pool
from crm_pool.pools.queries import keep_existing
from crm_pool.pools.rules import PoolKind
from crm_pool.reasons.queries import require_reason


def claim(session: Session, order: Order, customer_ids: Sequence[UUID]) -> Outcome:
    """领取 (C-16, C-32, C-37): of several claimers one wins, the others are told who. Refused claims cost nothing."""
    sight = queries.sight_of(session, order.actor_id)
    limits = limits_of(session, sight)
    if limits.are_counted:
        lock_members(session, [order.actor_id])
    assignments = locked(session, customer_ids)
    sight = queries.about(session, sight, assignments.values())
    me = claimer(session, sight, limits, order.at, order.zone, assignments.values())
    entries: list[dict[str, object]] = []

    def decide(_sight: Sight, assignment: Assignment) -> Change:
        for refusal in me.refusals(assignment):
            raise refusal
        pool_id = cast("UUID", assignment.pool_id)
        change = assignment.claim(order.actor_id, order.at)
        me.allowance.take(pool_id, won=sight.protections[assignment.customer_id].won)
        entries.append(
            {"customer_id": assignment.customer_id, "version": assignment.version}
            | {"member_id": order.actor_id, "pool_id": pool_id, "day": me.allowance.today}
        )
        return change

    outcome = decide_each(session, order, customer_ids, sight, assignments, decide, claiming=True)
    insert_rows(session, cast("Table", LedgerEntry.__table__), entries)
    return outcome


def assign(
    session: Session,
    order: Order,
    customer_ids: Sequence[UUID],
    member_ids: Sequence[UUID],
    effects: Effects,
    distribution: Distribution = Distribution.IN_TURN,
) -> Outcome:
    """分配 (C-11, C-15): customers that the actor sees go to the members in turn or by capacity; who is away or out of the
    actor's reach is passed over. An owned WeCom friend goes to the next of them who works on it (C-28).

    Raises Conflict owner_out_of_reach, assignee_inactive or assignee_absent when that leaves nobody; Forbidden.
    """
    sight = queries.sight_of(session, order.actor_id)
    sight.require_placing()
    receivers = available(session, sight, list(dict.fromkeys(member_ids)), order.at)
    received = queries.received_so_far(session, order.batch_id) if order.batch_id else {}

    def give(assignment: Assignment, to: UUID, chosen: Effects) -> Change:
        return assignment.assign(to, order.at, chosen)

    decide = _placing(in_turn(session, receivers, give, effects, received, distribution))
    return replace(decide_all(session, order, customer_ids, sight, decide), passed_over=dict(receivers.passed_over))


def transfer(
    session: Session, order: Order, customer_ids: Sequence[UUID], member_id: UUID, effects: Effects
) -> Outcome:
    """转移 (H-01, H-02): its owner, or somebody who sees the owner's department, names another owner, of a WeCom friend
    one who works on it (C-28, H-07), and chooses what goes with it (H-04, H-05).

    Raises Conflict assignee_inactive. An absent member may be named.
    """
    sight = queries.sight_of(session, order.actor_id)
    colleague = queries.colleagues(session, [member_id]).get(member_id)
    if colleague is None or not colleague.assignable:
        raise Conflict("assignee_inactive")

    def give(assignment: Assignment, to: UUID, chosen: Effects) -> Change:
        return assignment.transfer(to, order.at, chosen)

    decide = in_turn(session, Receivers([member_id], near=[member_id]), give, effects, {})
    return decide_all(session, order, customer_ids, sight, decide)


def release(
    session: Session,
    order: Order,
    customer_ids: Sequence[UUID],
    pool_id: UUID | None,
    reason_id: UUID | None = None,
    reason_note: str | None = None,
) -> Outcome:
    """放入客户池 (C-36, C-42): the owner, or somebody who sees the owner's department, puts customers into a pool, WeCom
    friends excepted (C-27), and says why.

    Without `pool_id` it is the default public pool. Raises NotFound pool_not_found; Invalid without a reason that is
    required or offered.
    """
    target = pool_id or default_pool(session, PoolKind.PUBLIC)
    if order.batch_id is None:
        require_reason(session, reason_id)

    def decide(sight: Sight, assignment: Assignment) -> Change:
        wecom_friend = sight.protections[assignment.customer_id].wecom_friend
        change = assignment.release(target, order.at, wecom_friend=wecom_friend)
        return replace(change, reason_id=reason_id, reason_note=reason_note)

    return _put(session, order, customer_ids, target, decide)


def move(session: Session, order: Order, customer_ids: Sequence[UUID], pool_id: UUID) -> Outcome:
    """From pool to pool, both of which the actor sees. Raises NotFound pool_not_found; Forbidden."""
    decide = _placing(lambda _sight, one: one.move(pool_id, order.at))
    return _put(session, order, customer_ids, pool_id, decide, placing=True)


def confirm(session: Session, order: Order, customer_ids: Sequence[UUID], pool_id: UUID | None) -> Outcome:
    """认定为有效 (C-09): prospects go to a to-be-assigned pool, the default one unless named.

    Raises NotFound pool_not_found; Conflict not_to_be_assigned for a pool of another kind; Forbidden.
    """
    target = pool_id or default_pool(session, PoolKind.TO_BE_ASSIGNED)
    sight = queries.sight_of(session, order.actor_id)
    sight.require_placing()
    if not keep_existing(session, [target]) or (pool_id is not None and not sight.sees_pool(pool_id)):
        raise NotFound("pool_not_found")
    if sight.pools[target].pool_kind is not PoolKind.TO_BE_ASSIGNED:
        raise Conflict("not_to_be_assigned")

    def decide(sight: Sight, assignment: Assignment) -> Change:
        pool = sight.pools.get(assignment.pool_id) if assignment.pool_id else None
        if pool is not None and pool.pool_kind is not PoolKind.PROSPECT:
            raise Conflict("not_a_prospect")
        return assignment.confirm(target, order.at)

    return decide_all(session, order, customer_ids, sight, _placing(decide))


def _placing(decide: Decide) -> Decide:
    """The same, for customers that the actor may assign and move."""

    def permitted(sight: Sight, assignment: Assignment) -> Change:
        if not sight.may_place(assignment.pool_id):
            raise queries.placing_forbidden()
        return decide(sight, assignment)

    return permitted


def _put(
    session: Session,
    order: Order,
    customer_ids: Sequence[UUID],
    pool_id: UUID,
    decide: Decide,
    *,
    placing: bool = False,
) -> Outcome:
    kept = keep_existing(session, [pool_id])
    sight = queries.sight_of(session, order.actor_id)
    if placing:
        sight.require_placing()
    if not kept or not sight.sees_pool(pool_id):
        raise NotFound("pool_not_found")
    return decide_all(session, order, customer_ids, sight, decide)
