"""Claim, assign, transfer, release, move: one transaction each, per-row answers, set-wise statements (design rule 7).

Lock order, so that nothing deadlocks: target pool, members whose customers are counted, assignments in id order.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import Table
from sqlalchemy.orm import Session

from chassis.errors import Conflict, Forbidden, NotFound, Refusal
from chassis.identifiers import new_id
from crm_pool.assignments import queries
from crm_pool.assignments.claiming import claimer, limits_of
from crm_pool.assignments.model import Assignment, Change, LedgerEntry
from crm_pool.assignments.queries import Sight
from crm_pool.assignments.recording import Act, finish_batch, locked, record
from crm_pool.assignments.rules import Effects
from crm_pool.assignments.turns import Decide, available, in_turn
from crm_pool.caps.queries import lock_members
from crm_pool.customers.projection import known_customers
from crm_pool.database import insert_rows
from crm_pool.pools.commands import default_pool
from crm_pool.pools.queries import keep_existing
from crm_pool.pools.rules import PoolKind


@dataclass(frozen=True)
class Order:
    """Who wants it, when (UTC), in which IANA zone days are counted, and how receivers are told.

    `batch_id`: the batch that these customers are a page of; it ends elsewhere. None: they are all there is.
    """

    actor_id: UUID
    at: datetime
    zone: str
    in_app: bool = False
    email: bool = False
    batch_id: UUID | None = None


@dataclass(frozen=True)
class Row:
    """What became of one customer; `refusal` None: done. `owner_id` is the owner now, as far as the actor may know."""

    customer_id: UUID
    refusal: Refusal | None
    owner_id: UUID | None


@dataclass(frozen=True)
class Outcome:
    """What became of a batch: `rows` and `changes` in the order asked for.

    `batch_id` is None for a single customer. `passed_over`: assignees who were away, each with the code why.
    """

    batch_id: UUID | None
    rows: list[Row]
    changes: list[Change]
    passed_over: dict[UUID, str] = field(default_factory=dict)


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

    outcome = _each(session, order, customer_ids, sight, assignments, decide, claiming=True)
    insert_rows(session, cast("Table", LedgerEntry.__table__), entries)
    return outcome


def assign(
    session: Session, order: Order, customer_ids: Sequence[UUID], member_ids: Sequence[UUID], effects: Effects
) -> Outcome:
    """分配 (C-11, C-15): customers that the actor sees go to the members in turn; who is away or out of the actor's reach
    is passed over. An owned WeCom friend goes to the next of them who works on it (C-28).

    Raises Conflict owner_out_of_reach, assignee_inactive or assignee_absent when that leaves nobody.
    """
    sight = queries.sight_of(session, order.actor_id)
    chosen = list(dict.fromkeys(member_ids))
    receivers, passed_over = available(sight, queries.colleagues(session, chosen), chosen, order.at)
    received = queries.received_so_far(session, order.batch_id) if order.batch_id else {}
    decide = in_turn(session, receivers, lambda one, to, chosen: one.assign(to, order.at, chosen), effects, received)
    outcome = _all(session, order, customer_ids, sight, decide)
    return replace(outcome, passed_over=passed_over)


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
    decide = in_turn(session, [member_id], lambda one, to, chosen: one.transfer(to, order.at, chosen), effects, {})
    return _all(session, order, customer_ids, sight, decide)


def release(session: Session, order: Order, customer_ids: Sequence[UUID], pool_id: UUID | None) -> Outcome:
    """放入客户池 (C-36, C-42): the owner, or somebody who sees the owner's department, puts customers into a pool, WeCom
    friends excepted (C-27).

    Without `pool_id` it is the default public pool. Raises NotFound pool_not_found.
    """
    target = pool_id or default_pool(session, PoolKind.PUBLIC)

    def decide(sight: Sight, assignment: Assignment) -> Change:
        return assignment.release(target, order.at, wecom_friend=sight.protections[assignment.customer_id].wecom_friend)

    return _put(session, order, customer_ids, target, decide)


def move(session: Session, order: Order, customer_ids: Sequence[UUID], pool_id: UUID) -> Outcome:
    """From pool to pool (C-09), both of which the actor sees. Raises NotFound pool_not_found."""
    return _put(session, order, customer_ids, pool_id, lambda _sight, one: one.move(pool_id, order.at))


def _put(session: Session, order: Order, customer_ids: Sequence[UUID], pool_id: UUID, decide: Decide) -> Outcome:
    kept = keep_existing(session, [pool_id])
    sight = queries.sight_of(session, order.actor_id)
    if not kept or not sight.sees_pool(pool_id):
        raise NotFound("pool_not_found")
    return _all(session, order, customer_ids, sight, decide)


def _all(session: Session, order: Order, customer_ids: Sequence[UUID], sight: Sight, decide: Decide) -> Outcome:
    """Lock the customers and decide about each."""
    assignments = locked(session, customer_ids)
    return _each(session, order, customer_ids, queries.about(session, sight, assignments.values()), assignments, decide)


def _each(
    session: Session,
    order: Order,
    customer_ids: Sequence[UUID],
    sight: Sight,
    assignments: Mapping[UUID, Assignment],
    decide: Decide,
    *,
    claiming: bool = False,
) -> Outcome:
    """Decide customer by customer, then write set-wise. A single customer's refusal is raised.

    `claiming`: nobody loses a customer, and the actor is told of what others took out of a pool that the actor sees.
    """
    unplaced = _unplaced(session, sight, [id_ for id_ in customer_ids if id_ not in assignments])
    rows: list[Row] = []
    changes: list[Change] = []
    for customer_id in customer_ids:
        assignment = assignments.get(customer_id)
        if assignment is None:
            refusal: Refusal = Conflict("not_yet_placed") if customer_id in unplaced else NotFound("not_found")
            rows.append(Row(customer_id, refusal, None))
        elif not sight.sees(assignment) and not (claiming and _lay_in_sight(assignment, sight)):
            rows.append(Row(customer_id, NotFound("not_found"), None))
        elif not claiming and not sight.may_give(assignment):
            rows.append(Row(customer_id, Forbidden("not_yours_to_give"), assignment.owner_id))
        else:
            rows.append(_decided(sight, assignment, decide, changes))
    if len(rows) == 1 and rows[0].refusal is not None and order.batch_id is None:
        raise _naming_owner(rows[0], sight)
    return _recorded(session, order, rows, changes)


def _recorded(session: Session, order: Order, rows: list[Row], changes: list[Change]) -> Outcome:
    batch_id = order.batch_id or (new_id() if len(rows) > 1 else None)
    act = Act(order.actor_id, order.at, batch_id, order.in_app, order.email)
    record(session, [(act, change) for change in changes])
    if order.batch_id is None and batch_id is not None and changes:
        received = Counter(change.assignment.owner_id for change in changes)
        lost = Counter(change.previous.owner_id for change in changes if change.previous)
        finish_batch(session, act, changes[0].cause, received, lost, skipped=len(rows) - len(changes))
    return Outcome(batch_id, rows, changes)


def _decided(sight: Sight, assignment: Assignment, decide: Decide, changes: list[Change]) -> Row:
    try:
        changes.append(decide(sight, assignment))
    except Refusal as refusal:
        return Row(assignment.customer_id, refusal, assignment.owner_id)
    return Row(assignment.customer_id, None, assignment.owner_id)


def _unplaced(session: Session, sight: Sight, customer_ids: Collection[UUID]) -> set[UUID]:
    """Of customers without an assignment, those whose birth has not been decided yet and that the actor may know of."""
    if not customer_ids:
        return set()
    known = known_customers(session, customer_ids).values()
    return {one.id for one in known if sight.scope.company or one.created_by == sight.scope.member_id}


def _naming_owner(row: Row, sight: Sight) -> Refusal:
    refusal = cast(Refusal, row.refusal)
    owner = sight.owners.get(row.owner_id) if row.owner_id else None
    if owner is not None:
        refusal.extra["owner"] = {"id": str(owner.id), "name": owner.name}
    return refusal


def _lay_in_sight(assignment: Assignment, sight: Sight) -> bool:
    """Whether the customer was taken out of a pool that the actor sees: then a claimer is told who took it, unless it is
    locked.
    """
    taken = assignment.owner_id is not None and not sight.is_locked(assignment)
    return taken and sight.sees_pool(assignment.home_pool_id)
