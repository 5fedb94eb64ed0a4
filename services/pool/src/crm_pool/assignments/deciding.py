"""Deciding about many customers at once: one transaction, per-row answers, set-wise statements (design rule 7)."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.errors import Conflict, Forbidden, NotFound, Refusal
from chassis.identifiers import new_id
from crm_pool.assignments import queries
from crm_pool.assignments.model import Assignment, Change
from crm_pool.assignments.queries import Sight
from crm_pool.assignments.recording import Act, finish_batch, locked, record
from crm_pool.assignments.turns import Decide
from crm_pool.customers.projection import known_customers


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


def decide_all(session: Session, order: Order, customer_ids: Sequence[UUID], sight: Sight, decide: Decide) -> Outcome:
    """Lock the customers and decide about each."""
    assignments = locked(session, customer_ids)
    return decide_each(
        session, order, customer_ids, queries.about(session, sight, assignments.values()), assignments, decide
    )


def decide_each(
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
