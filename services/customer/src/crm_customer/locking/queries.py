"""Locked customers."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from crm_customer.customers.model import Customer
from crm_customer.customers.sight import Condition, Sight
from directory.permissions import Permission


def may_know(sight: Sight) -> bool:
    """Whether the member may know of customers that others have locked (X-23)."""
    return sight.scope.may(Permission.CUSTOMER_UNPROTECT)


def locked_page(session: Session, sight: Sight, offset: int, limit: int) -> tuple[Sequence[UUID], int]:
    """Ids of one page of locked customers, last locked first, and how many there are: the member's own, and those of
    others within reach for whoever may unlock them.
    """
    condition = _locked(sight)
    page = select(Customer.id).where(condition).order_by(Customer.locked_at.desc(), Customer.id)
    total = session.scalar(select(func.count()).select_from(Customer).where(condition)) or 0
    return session.scalars(page.offset(offset).limit(limit)).all(), total


def _locked(sight: Sight) -> Condition:
    counts = and_(Customer.locked_at.is_not(None), Customer.owner_left.is_(other=False))
    mine = Customer.owner_id == sight.scope.member_id
    return and_(counts, Customer.deleted_at.is_(None), sight.reach if may_know(sight) else mine)
