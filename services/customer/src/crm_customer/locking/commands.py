"""Locking customers. Each function runs in the transaction its edge has opened."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.errors import Conflict, Forbidden
from chassis.events.outbox import record_event
from crm.customer.v1 import customer_events_pb2 as pb
from crm_customer.customers.commands import SUBJECT
from crm_customer.customers.model import Customer
from crm_customer.customers.projection import state_of
from crm_customer.customers.sight import Sight
from directory.permissions import Permission


def lock_customer(session: Session, sight: Sight, customer: Customer, now: datetime) -> None:
    """Let nobody but its owner read and change the customer (H-17); one that is locked stays so.

    Raises Conflict in_pool, Forbidden owner_only.
    """
    if customer.pool_id is not None:
        raise Conflict("in_pool")
    if customer.owner_id != sight.scope.member_id:
        raise Forbidden("owner_only")
    if customer.locked_at is None:
        _set(session, sight, customer, now, locked=True)


def unlock_customer(session: Session, sight: Sight, customer: Customer, now: datetime) -> None:
    """Let others see it again: its owner, or whoever holds customer.unprotect (H-18, X-23). Raises Forbidden."""
    if customer.owner_id != sight.scope.member_id and not sight.scope.may(Permission.CUSTOMER_UNPROTECT):
        raise Forbidden("forbidden", permission=Permission.CUSTOMER_UNPROTECT)
    if customer.locked_at is not None:
        _set(session, sight, customer, now, locked=False)


def _set(session: Session, sight: Sight, customer: Customer, now: datetime, *, locked: bool) -> None:
    actor_id = sight.scope.member_id
    before = _about(customer)
    customer.locked_at, customer.locked_by = (now, actor_id) if locked else (None, None)
    customer.touch(now)
    session.flush()
    action = "customer.locked" if locked else "customer.unlocked"
    record_audit(session, AuditEntry(action, SUBJECT, customer.id, actor_id, before, _about(customer)))
    record_event(session, pb.CustomerUpdated(customers=[state_of(session, customer)], actor_id=str(actor_id)))


def _about(customer: Customer) -> dict[str, Any]:
    return {"version": customer.version, "locked": customer.locked_at is not None}
