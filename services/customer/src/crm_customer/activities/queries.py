"""Reading activities inside the reader's sight: whoever sees the customer sees what was done with it."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from chassis.errors import NotFound
from crm_customer.activities.model import Activity
from crm_customer.activities.views import ActivityView
from crm_customer.customers.model import Customer
from crm_customer.customers.queries import visible_customer
from crm_customer.customers.sight import Sight
from crm_customer.customers.views import Named
from directory.tables import members

_NEWEST_FIRST = (Activity.at.desc(), Activity.id.desc())


def activities_of(
    session: Session, sight: Sight, customer_id: UUID, page: int, page_size: int
) -> tuple[list[ActivityView], int]:
    """One page of a customer's activities, newest first, and how many there are. Raises NotFound."""
    visible_customer(session, sight, customer_id)
    mine = Activity.customer_id == customer_id
    found = _named().where(mine).order_by(*_NEWEST_FIRST).offset((page - 1) * page_size).limit(page_size)
    total = session.scalar(select(func.count()).select_from(Activity).where(mine)) or 0
    return [_view(row) for row in session.execute(found)], total


def activity_view(session: Session, sight: Sight, activity_id: UUID) -> ActivityView:
    """One activity of a customer that the member sees. Raises NotFound."""
    found = _named().join(Customer, Customer.id == Activity.customer_id)
    found = found.where(Activity.id == activity_id, Customer.deleted_at.is_(None), sight.condition())
    row = session.execute(found).one_or_none()
    if row is None:
        raise NotFound("not_found")
    return _view(row)


def last_touches(session: Session, customer_id: UUID, most: int) -> Sequence[Activity]:
    """The last follow-ups of a customer, newest first."""
    mine = select(Activity).where(Activity.customer_id == customer_id)
    return session.scalars(mine.order_by(*_NEWEST_FIRST).limit(most)).all()


def promises(session: Session, customer_id: UUID, today: date, most: int) -> Sequence[Activity]:
    """The follow-ups of a customer whose next contact lies ahead, the next one first."""
    ahead = select(Activity).where(Activity.customer_id == customer_id, Activity.next_contact_on >= today)
    return session.scalars(ahead.order_by(Activity.next_contact_on, Activity.id).limit(most)).all()


def _named() -> Select[Any]:
    return select(Activity, members.c.name).outerjoin(members, members.c.id == Activity.member_id)


def _view(row: Any) -> ActivityView:
    columns = {name: getattr(row.Activity, name) for name in ActivityView.model_fields if name != "member"}
    return ActivityView(member=Named(id=row.Activity.member_id, name=row.name or ""), **columns)
