"""What is to be paid for orders, and what was. Each function runs in the transaction its edge has opened.

The order is locked before (`held_order`): sums of it are read and kept under that lock.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.errors import Conflict, FieldError, invalid
from chassis.identifiers import new_id
from crm_customer.customers.sight import Sight
from crm_customer.orders.commands import keep_outstanding, require_room
from crm_customer.orders.model import Order, Payment, Receivable
from crm_customer.orders.queries import held_order, paid_for, receivables_of
from crm_customer.orders.rules import MOST_RECEIVABLES, Status, total
from crm_customer.payments.queries import payment_of, receivable_of
from crm_customer.versions import record_act, stale, stale_since

RECEIVABLE, PAYMENT = "receivable", "payment"
_FIELDS = ("due_on", "amount", "note")


def add_receivable(
    session: Session, sight: Sight, order_id: UUID, values: Mapping[str, Any], now: datetime
) -> Receivable:
    """A part of an order's amount that is due on a day.

    Raises NotFound, Conflict claim_first, order_cancelled, receivables_exceed_amount, too_many_receivables, Forbidden.
    """
    order = _changeable(session, sight, order_id)
    if len(receivables_of(session, order_id)) >= MOST_RECEIVABLES:
        raise Conflict("too_many_receivables", most=MOST_RECEIVABLES)
    actor_id = sight.scope.member_id
    made = Receivable(
        **values,
        id=new_id(),
        version=1,
        order_id=order_id,
        outstanding=0,
        created_by=actor_id,
        created_at=now,
        updated_at=now,
    )
    session.add(made)
    _settle(session, order)
    record_act(session, RECEIVABLE, "created", made, actor_id, None, {**values, "order_id": order_id})
    return made


def change_receivable(
    session: Session,
    sight: Sight,
    ids: tuple[UUID, UUID],
    expected: int,
    values: Mapping[str, Any],
    now: datetime,
) -> Receivable:
    """Change the receivable `ids` (order, receivable). Sending what already holds changes nothing.

    Raises as `add_receivable`, and Stale with both values of each clashing field.
    """
    order = _changeable(session, sight, ids[0])
    found = receivable_of(session, *ids)
    if found.version != expected:
        raise stale_since(session, RECEIVABLE, found, expected, values)
    before = found.change(values, now)
    if before:
        _settle(session, order)
        after = {name: values[name] for name in before}
        record_act(session, RECEIVABLE, "changed", found, sight.scope.member_id, before, after)
    return found


def delete_receivable(session: Session, sight: Sight, ids: tuple[UUID, UUID], expected: int, now: datetime) -> None:
    """Take back the receivable `ids` (order, receivable). Raises NotFound, Conflict, Forbidden, Stale."""
    order = _changeable(session, sight, ids[0])
    found = receivable_of(session, *ids)
    if found.version != expected:
        raise stale(found)
    found.deleted_at, found.outstanding = now, total([])
    found.touch(now)
    _settle(session, order)
    about = {name: getattr(found, name) for name in _FIELDS}
    record_act(session, RECEIVABLE, "deleted", found, sight.scope.member_id, about, {})


def add_payment(
    session: Session,
    sight: Sight,
    order_id: UUID,
    values: Mapping[str, Any],
    now: datetime,
    today: date,
    *,
    overpaid: bool,
) -> Payment:
    """Money that came in for a confirmed or completed order (L-25); it covers what is due first.

    Raises NotFound, Conflict claim_first, order_not_confirmed, payment_exceeds_open unless it may be `overpaid`, Forbidden,
    Invalid.
    """
    order = held_order(session, sight, order_id).order
    if not order.counts:
        raise Conflict("order_not_confirmed")
    paid_on = values["paid_on"] or today
    if paid_on > today:
        raise invalid(FieldError("/paid_on", "paid_in_future"))
    still_open = max(total([]), order.amount - paid_for(session, [order_id]).get(order_id, total([])))
    if values["amount"] > still_open and not overpaid:
        raise Conflict("payment_exceeds_open", open=str(still_open), extra={"open": str(still_open)})
    actor_id = sight.scope.member_id
    made = Payment(
        **{**values, "paid_on": paid_on}, id=new_id(), order_id=order_id, created_by=actor_id, created_at=now
    )
    session.add(made)
    keep_outstanding(session, order)
    record_audit(session, AuditEntry(f"{PAYMENT}.created", PAYMENT, made.id, actor_id, None, _about(made)))
    return made


def delete_payment(session: Session, sight: Sight, ids: tuple[UUID, UUID], now: datetime) -> None:
    """Take back the payment `ids` (order, payment), of a cancelled order too. Raises NotFound, Conflict, Forbidden."""
    order = held_order(session, sight, ids[0]).order
    found = payment_of(session, *ids)
    found.deleted_at = now
    keep_outstanding(session, order)
    record_audit(session, AuditEntry(f"{PAYMENT}.deleted", PAYMENT, found.id, sight.scope.member_id, _about(found)))


def _changeable(session: Session, sight: Sight, order_id: UUID) -> Order:
    order = held_order(session, sight, order_id).order
    if order.status == Status.CANCELLED:
        raise Conflict("order_cancelled")
    return order


def _settle(session: Session, order: Order) -> None:
    """Refuse more receivables than the order's amount; else say anew what of them is outstanding."""
    session.flush()
    require_room(session, order, order.amount)
    keep_outstanding(session, order)


def _about(payment: Payment) -> dict[str, Any]:
    return {name: getattr(payment, name) for name in ("order_id", "paid_on", "amount", "note")}
