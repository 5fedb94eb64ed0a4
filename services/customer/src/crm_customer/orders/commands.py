"""What users do to orders. Each function runs in the transaction its edge has opened.

The customer is locked first, then its opportunities, then the order; what an opportunity and the customer are told are
sums read under these locks (decision 0028).
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.errors import Conflict, FieldError, invalid
from chassis.identifiers import new_id
from crm_customer.customers.commands import tell_facts
from crm_customer.customers.model import Customer
from crm_customer.customers.queries import require_writable
from crm_customer.customers.sight import Sight
from crm_customer.money import DEFAULT_CURRENCY
from crm_customer.opportunities.model import Opportunity
from crm_customer.opportunities.stages import follow_orders
from crm_customer.orders.drafting import Draft, Line, checked, line_values, opportunity_problems
from crm_customer.orders.model import Order, OrderLine
from crm_customer.orders.queries import (
    Held,
    completed_of,
    facts_of,
    held_order,
    lines_of,
    locked_opportunities,
    paid_for,
    receivables_of,
)
from crm_customer.orders.rules import Status, Step, after, outstanding, total
from crm_customer.versions import record_act, stale, stale_since

SUBJECT = "order"
_COLUMNS = ("opportunity_id", "deal_on", "member_id", "currency", "amount", "amount_agreed", "remark")


def create_order(
    session: Session, sight: Sight, customer: Customer, draft: Draft, status: Status, now: datetime, today: date
) -> Order:
    """A new order of a locked customer (L-19). Raises Conflict claim_first, Forbidden read_only_collaborator, Invalid."""
    require_writable(session, sight, customer)
    actor_id = sight.scope.member_id
    wanted = draft.values["opportunity_id"]
    opportunity = locked_opportunities(session, customer, (wanted,)).get(wanted)
    values = dict(draft.values)
    values["deal_on"] = values["deal_on"] or today
    values["member_id"] = values["member_id"] or actor_id
    values["currency"] = values["currency"] or (opportunity.currency if opportunity else DEFAULT_CURRENCY)
    kept, lines = checked(session, Draft(values, draft.lines), (), {}, opportunity, today)
    order = Order(
        **kept,
        id=new_id(),
        version=1,
        customer_id=customer.id,
        status=status,
        owner_id=customer.owner_id,
        created_by=actor_id,
        created_at=now,
        updated_at=now,
    )
    session.add(order)
    session.flush()
    _keep_lines(session, order, lines)
    about = {"customer_id": customer.id, "status": status}
    record_act(session, SUBJECT, "created", order, actor_id, None, about | _values(order, lines))
    return order


def change_order(
    session: Session, sight: Sight, order_id: UUID, draft: Draft, expected: int, now: datetime, today: date
) -> None:
    """Change a draft or confirmed order. Sending what already holds changes nothing.

    Raises NotFound, Conflict claim_first, order_completed, order_cancelled, receivables_exceed_amount, Forbidden
    read_only_collaborator, Invalid, and Stale with both values of each clashing field.
    """
    wanted = draft.values.get("opportunity_id")
    held = held_order(session, sight, order_id, linking=wanted)
    order = held.order
    _require_open(order)
    present = [line_values(line) for line in lines_of(session, order_id)]
    known = {name: getattr(order, name) for name in ("opportunity_id", "deal_on", "member_id", "currency", "remark")}
    known["agreed"] = order.amount if order.amount_agreed else None
    opportunity = _among(held, wanted if "opportunity_id" in draft.values else order.opportunity_id)
    kept, lines = checked(session, draft, present, known, opportunity, today)
    before, becomes = _values(order, present), kept | {"lines": lines}
    if order.version != expected:
        sent = {name: value for name, value in becomes.items() if name in _sent(draft)}
        raise stale_since(session, SUBJECT, order, expected, sent, before)
    changed = [name for name, value in becomes.items() if before[name] != value]
    if not changed:
        return
    require_room(session, order, kept["amount"])
    for name, value in kept.items():
        setattr(order, name, value)
    order.touch(now)
    if "lines" in changed:
        for line in lines_of(session, order_id):
            session.delete(line)
        session.flush()
        _keep_lines(session, order, lines)
    sides = ({name: values[name] for name in changed} for values in (before, becomes))
    record_act(session, SUBJECT, "changed", order, sight.scope.member_id, *sides)


def move_order(session: Session, sight: Sight, order_id: UUID, step: Step, note: str, now: datetime) -> None:
    """Confirm, complete, cancel or reopen an order (L-21); a completed order wins its opportunity and its customer (L-08).

    Raises NotFound, Conflict claim_first, order_step_refused, Forbidden read_only_collaborator, Invalid for a completed
    order that is cancelled without a note.
    """
    held = held_order(session, sight, order_id)
    order = held.order
    reached, before = after(order.status, step), {"status": order.status}
    if reached is None:
        raise Conflict("order_step_refused", status=order.status)
    was_completed = order.status == Status.COMPLETED
    if was_completed and not note:
        raise invalid(FieldError("/note", "cancel_note_missing"))
    order.move(reached, note or None, now)
    keep_outstanding(session, order)
    told = {"status": reached} | ({"note": note} if note else {})
    record_act(session, SUBJECT, _DONE[step], order, sight.scope.member_id, before, told)
    if was_completed or reached is Status.COMPLETED:
        _follow(session, held, held.opportunities.values(), sight.scope.member_id, now)


_DONE = {
    Step.CONFIRM: "confirmed",
    Step.COMPLETE: "completed",
    Step.CANCEL: "cancelled",
    Step.REOPEN: "reopened",
}


def link_order(session: Session, sight: Sight, order_id: UUID, opportunity_id: UUID | None, now: datetime) -> None:
    """Let an order that is not cancelled, completed or not, belong to an opportunity or to none (L-10, L-11).

    Raises NotFound, Conflict claim_first, order_cancelled, Forbidden read_only_collaborator, Invalid.
    """
    held = held_order(session, sight, order_id, linking=opportunity_id)
    order = held.order
    if order.status == Status.CANCELLED:
        raise Conflict("order_cancelled")
    if order.opportunity_id == opportunity_id:
        return
    values = {"opportunity_id": opportunity_id, "currency": order.currency}
    if errors := opportunity_problems(values, _among(held, opportunity_id), None):
        raise invalid(*errors)
    sides = ({"opportunity_id": id_} for id_ in (order.opportunity_id, opportunity_id))
    order.opportunity_id = opportunity_id
    order.touch(now)
    record_act(session, SUBJECT, "linked", order, sight.scope.member_id, *sides)
    if order.status == Status.COMPLETED:
        _follow(session, held, held.opportunities.values(), sight.scope.member_id, now)


def delete_order(session: Session, sight: Sight, order_id: UUID, expected: int, now: datetime) -> None:
    """Put an order into the recycle bin; a completed one is cancelled first.

    Raises NotFound, Conflict claim_first, order_completed, Forbidden read_only_collaborator, Stale.
    """
    order = held_order(session, sight, order_id).order
    if order.status == Status.COMPLETED:
        raise Conflict("order_completed")
    if order.version != expected:
        raise stale(order)
    _set_deleted(session, order, now, now)
    record_act(session, SUBJECT, "deleted", order, sight.scope.member_id, {"status": order.status}, {})


def restore_order(session: Session, sight: Sight, order_id: UUID, now: datetime) -> None:
    """Take an order out of the recycle bin; one that is not in it stays as it is. Raises as `delete_order`."""
    order = held_order(session, sight, order_id, deleted=None).order
    if order.deleted_at is not None:
        _set_deleted(session, order, None, now)
        record_act(session, SUBJECT, "restored", order, sight.scope.member_id, None, {"status": order.status})


def keep_outstanding(session: Session, order: Order) -> None:
    """Say anew what of a locked order's receivables is left to be paid: what is due first is paid first."""
    session.flush()
    due = receivables_of(session, order.id)
    paid = paid_for(session, [order.id]).get(order.id, total([]))
    left = outstanding([one.amount for one in due], paid) if order.counts else [total([])] * len(due)
    for one, amount in zip(due, left, strict=True):
        one.outstanding = amount
    session.flush()


def require_room(session: Session, order: Order, amount: Decimal) -> None:
    """Raise Conflict receivables_exceed_amount where those of a locked order come to more than `amount`."""
    asked = total(one.amount for one in receivables_of(session, order.id))
    if asked > amount:
        raise Conflict("receivables_exceed_amount", receivables=str(asked), amount=str(amount))


def _follow(session: Session, held: Held, opportunities: Iterable[Opportunity], actor_id: UUID, now: datetime) -> None:
    """Let the opportunities and the customer be what their completed orders make of them."""
    session.flush()
    for opportunity in opportunities:
        follow_orders(session, opportunity, completed_of(session, opportunity.id), actor_id, now)
    won, last_deal_at = facts_of(session, held.customer.id)
    tell_facts(session, held.customer, actor_id, won=won, last_deal_at=last_deal_at)


def _sent(draft: Draft) -> set[str]:
    """What of an order the draft says, as it is kept."""
    agreed = {"amount", "amount_agreed"} if "agreed" in draft.values else set()
    return draft.values.keys() | agreed | ({"lines"} if draft.lines is not None else set())


def _among(held: Held, opportunity_id: UUID | None) -> Opportunity | None:
    return held.opportunities.get(opportunity_id) if opportunity_id else None


def _set_deleted(session: Session, order: Order, deleted_at: datetime | None, now: datetime) -> None:
    order.deleted_at = deleted_at
    order.touch(now)
    keep_outstanding(session, order)


def _require_open(order: Order) -> None:
    if order.status == Status.COMPLETED:
        raise Conflict("order_completed")
    if order.status == Status.CANCELLED:
        raise Conflict("order_cancelled")


def _keep_lines(session: Session, order: Order, lines: Sequence[Line]) -> None:
    session.add_all(OrderLine(order_id=order.id, position=place, **line) for place, line in enumerate(lines))
    session.flush()


def _values(order: Order, lines: Sequence[Line]) -> dict[str, Any]:
    return {name: getattr(order, name) for name in _COLUMNS} | {"lines": list(lines)}
