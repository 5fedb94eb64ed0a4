"""Opening, deciding and withdrawing collisions. Each function runs in the transaction its edge has opened."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from chassis.database import lock
from chassis.errors import Conflict, FieldError, Forbidden, NotFound, invalid
from chassis.events.outbox import record_event
from chassis.identifiers import new_id
from crm.customer.v1 import customer_events_pb2 as pb
from crm_customer.collaboration.model import Collaborator
from crm_customer.collaborators.commands import add_collaborators
from crm_customer.collaborators.queries import persons
from crm_customer.collaborators.rules import Share
from crm_customer.collisions.model import Collision
from crm_customer.collisions.queries import open_collisions, readable, standing
from crm_customer.collisions.rules import (
    MOST_OPEN,
    OUTCOMES,
    Kind,
    Outcome,
    Status,
    deciders,
    may_decide,
    refusal,
)
from crm_customer.customers.model import Customer
from crm_customer.customers.queries import visible_customer
from crm_customer.customers.sight import Sight
from crm_customer.versions import record_act
from directory.scope import manager_of

SUBJECT = "collision"
_KINDS = {
    Kind.COLLABORATE: pb.CollisionKind.COLLISION_KIND_COLLABORATE,
    Kind.DISPUTE: pb.CollisionKind.COLLISION_KIND_DISPUTE,
}
_OUTCOMES = {
    Outcome.KEEP: pb.CollisionOutcome.COLLISION_OUTCOME_KEEP,
    Outcome.COLLABORATE: pb.CollisionOutcome.COLLISION_OUTCOME_COLLABORATE,
    Outcome.GIVE: pb.CollisionOutcome.COLLISION_OUTCOME_GIVE,
    Outcome.MERGE: pb.CollisionOutcome.COLLISION_OUTCOME_MERGE,
}


def open_collision(
    session: Session,
    sight: Sight,
    kind: Kind,
    customer_id: UUID,
    own_customer_id: UUID | None,
    reason: str,
    now: datetime,
) -> Collision:
    """Ask for a part in a customer that is another's, in sight or not (decision 0032); whoever decides is told.

    Raises NotFound, Invalid own_customer_unknown, and Conflict customer_is_yours, claim_instead, already_collaborator,
    collision_open or too_many_collisions.
    """
    me = sight.scope.member_id
    lock(session, f"collisions {me}")
    customer = _customer(session, customer_id)
    code = refusal(kind, standing(session, sight, customer, me))
    if code:
        raise Conflict(code)
    if own_customer_id is not None:
        _require_own(session, sight, own_customer_id, customer_id)
    if session.scalar(_waiting(customer_id).where(Collision.asked_by == me)) is not None:
        raise Conflict("collision_open")
    if open_collisions(session, me) >= MOST_OPEN:
        raise Conflict("too_many_collisions", most=MOST_OPEN)
    collision = Collision(
        id=new_id(),
        version=1,
        kind=kind.value,
        customer_id=customer_id,
        own_customer_id=own_customer_id,
        asked_by=me,
        asked_at=now,
        updated_at=now,
        reason=reason,
        status=Status.OPEN.value,
    )
    session.add(collision)
    session.flush()
    said = {"kind": kind.value, "customer_id": str(customer_id), "reason": reason}
    record_act(session, SUBJECT, "opened", collision, me, None, said)
    _tell_opened(session, collision, customer)
    return collision


def decide_collision(
    session: Session, sight: Sight, collision_id: UUID, outcome: Outcome, note: str, now: datetime
) -> Collision:
    """Say what becomes of it. A customer that is given goes to whoever asked as soon as pool hears of it; one that is
    collaborated on takes the member at once; a merge is made by hand (decision 0033).

    Raises NotFound, Forbidden not_yours_to_decide, Invalid, and Conflict collision_closed, customer_gone, asker_left,
    customer_locked or wecom_friend_stays.
    """
    collision = readable(session, sight, collision_id, lock=True)
    _require_open(collision)
    try:
        customer = _customer(session, collision.customer_id)
    except NotFound:
        raise Conflict("customer_gone") from None
    kind = Kind(collision.kind)
    if not may_decide(kind, standing(session, sight, customer, collision.asked_by)):
        raise Forbidden("not_yours_to_decide")
    if outcome not in OUTCOMES[kind]:
        raise invalid(FieldError("/outcome", "outcome_unfit"))
    _require_possible(session, collision, customer, outcome)
    if outcome is Outcome.COLLABORATE and session.get(Collaborator, (customer.id, collision.asked_by)) is None:
        add_collaborators(session, sight, customer, [(collision.asked_by, Share(can_write=True, until=None))], now)
    _close(session, collision, customer, outcome.status, sight.scope.member_id, now, outcome, note)
    return collision


def withdraw_collision(session: Session, sight: Sight, collision_id: UUID, now: datetime) -> Collision:
    """Ask for it no more. Raises NotFound, Forbidden not_your_collision, and Conflict collision_closed."""
    collision = readable(session, sight, collision_id, lock=True)
    if collision.asked_by != sight.scope.member_id:
        raise Forbidden("not_your_collision")
    _require_open(collision)
    customer = session.get_one(Customer, collision.customer_id)
    _close(session, collision, customer, Status.WITHDRAWN, collision.asked_by, now)
    return collision


def _customer(session: Session, customer_id: UUID) -> Customer:
    """The customer, locked, whoever sees it. Raises NotFound, also of one in the recycle bin."""
    found = select(Customer).where(Customer.id == customer_id, Customer.deleted_at.is_(None))
    locked = found.with_for_update(key_share=True).execution_options(populate_existing=True)
    customer = session.scalar(locked)
    if customer is None:
        raise NotFound("not_found")
    return customer


def _require_own(session: Session, sight: Sight, own_customer_id: UUID, customer_id: UUID) -> None:
    try:
        own = visible_customer(session, sight, own_customer_id)
    except NotFound:
        own = None
    if own is None or own.owner_id != sight.scope.member_id or own.id == customer_id:
        raise invalid(FieldError("/own_customer_id", "own_customer_unknown"))


def _waiting(customer_id: UUID) -> Select[Any]:
    return select(Collision.id).where(Collision.customer_id == customer_id, Collision.status == Status.OPEN.value)


def _require_open(collision: Collision) -> None:
    if collision.status != Status.OPEN.value:
        raise Conflict("collision_closed")


def _require_possible(session: Session, collision: Collision, customer: Customer, outcome: Outcome) -> None:
    if outcome in (Outcome.COLLABORATE, Outcome.GIVE) and not persons(session, [collision.asked_by]):
        raise Conflict("asker_left")
    if outcome is not Outcome.GIVE:
        return
    if customer.locked_at is not None:
        raise Conflict("customer_locked")
    # C-28: it goes to nobody but those who work on it.
    if customer.wecom_friend and session.get(Collaborator, (customer.id, collision.asked_by)) is None:
        raise Conflict("wecom_friend_stays")


def _close(
    session: Session,
    collision: Collision,
    customer: Customer,
    status: Status,
    actor_id: UUID,
    now: datetime,
    outcome: Outcome | None = None,
    note: str = "",
) -> None:
    collision.change({"status": status.value}, now)
    collision.outcome, collision.note = outcome.value if outcome else None, note or None
    if outcome is not None:
        collision.decided_by, collision.decided_at = actor_id, now
    session.flush()
    said = {"status": status.value, "outcome": collision.outcome, "note": collision.note}
    record_act(session, SUBJECT, status.value, collision, actor_id, {"status": Status.OPEN.value}, said)
    withdrawn = pb.CollisionOutcome.COLLISION_OUTCOME_WITHDRAWN
    told = {collision.asked_by} if outcome else _told_of(session, collision, customer)
    told |= {customer.owner_id} if outcome and customer.owner_id else set()
    closed = pb.CollisionClosed(
        collision_id=str(collision.id),
        kind=_KINDS[Kind(collision.kind)],
        outcome=_OUTCOMES[outcome] if outcome else withdrawn,
        customer_id=str(customer.id),
        customer_name=customer.name,
        asked_by=str(collision.asked_by),
        actor_id=str(actor_id),
        note=note,
        receiver_ids=_written(told - {actor_id}),
    )
    record_event(session, closed)


def _tell_opened(session: Session, collision: Collision, customer: Customer) -> None:
    opened = pb.CollisionOpened(
        collision_id=str(collision.id),
        kind=_KINDS[Kind(collision.kind)],
        customer_id=str(customer.id),
        customer_name=customer.name,
        asked_by=str(collision.asked_by),
        reason=collision.reason,
        receiver_ids=_written(_told_of(session, collision, customer)),
    )
    record_event(session, opened)


def _told_of(session: Session, collision: Collision, customer: Customer) -> set[UUID]:
    """Who decides it."""
    owner_id = customer.owner_id
    if owner_id is None:
        return set()
    active = not customer.owner_left
    manager_id = manager_of(session, owner_id)
    return set(deciders(Kind(collision.kind), owner_id, active, manager_id, collision.asked_by))


def _written(ids: Collection[UUID]) -> list[str]:
    return sorted(map(str, ids))
