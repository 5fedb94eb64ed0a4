"""What users, and orders, do to opportunities. Each function runs in the transaction its edge has opened.

Locks are taken in this order: the customer's row, the opportunity's, the order's (decision 0028).
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from crm_customer.customers.commands import tell_facts
from crm_customer.customers.model import Customer
from crm_customer.opportunities.model import Opportunity
from crm_customer.opportunities.queries import facts_of, settings

SUBJECT = "opportunity"


def follow_orders(
    session: Session, opportunity: Opportunity, completed: Decimal | None, actor_id: UUID | None, now: datetime
) -> None:
    """Let a locked opportunity of a locked customer be what its orders make of it (L-08, L-10).

    `completed`: the sum of its completed orders in its currency, None: there is none. The first one wins it, each later
    change moves its amount, and without any it goes back to the stage before. The same again changes nothing. Where
    stages are moved by hand alone, only what orders have won follows them.
    """
    if not opportunity.won_by_orders and (completed is None or not settings(session).restrict_manual_won):
        return
    if opportunity.won_by_orders and opportunity.amount == completed:
        return
    before = _standing(opportunity)
    if completed is None:
        action = "opportunity.unwon"
        opportunity.unwin(now)
    else:
        action = "opportunity.amount_followed" if opportunity.won_by_orders else "opportunity.won"
        opportunity.follow(completed, now)
    _record(session, action, opportunity, actor_id, before)
    tell_opportunities(session, opportunity.customer_id, actor_id)


def tell_opportunities(session: Session, customer_id: UUID, actor_id: UUID | None) -> None:
    """Let a locked customer know how many of its opportunities are open, and when the last one came."""
    session.flush()
    still_open, last_at = facts_of(session, customer_id)
    customer = session.get_one(Customer, customer_id)
    tell_facts(session, customer, actor_id, open_opportunities=still_open, last_opportunity_at=last_at)


def _standing(opportunity: Opportunity) -> dict[str, Any]:
    """What a move changes, as the audit keeps it."""
    amount = opportunity.amount
    return {
        "version": opportunity.version,
        "stage": opportunity.stage,
        "amount": None if amount is None else str(amount),
        "lost_reason": opportunity.lost_reason,
        "close_note": opportunity.close_note,
    }


def _record(
    session: Session, action: str, opportunity: Opportunity, actor_id: UUID | None, before: Mapping[str, Any]
) -> None:
    """Keep what of the standing changed."""
    after = _standing(opportunity)
    changed = [name for name, value in after.items() if before[name] != value]
    sides = ({name: side[name] for name in changed} for side in (before, after))
    record_audit(session, AuditEntry(action, SUBJECT, opportunity.id, actor_id, *sides))
