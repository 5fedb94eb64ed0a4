"""What expires on the days of which people are reminded."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Date, Text, any_, exists, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from crm_pool.assignments.model import AssignmentRow
from crm_pool.customers.model import Customer
from crm_pool.database import among
from crm_pool.reminders.model import ExpiryDigest
from crm_pool.reminders.rules import Group
from directory.tables import members

_MOST_NAMES = 3


@dataclass(frozen=True)
class Expiring:
    """Customers of one owner that expire on one day; `names` of three of them at most."""

    owner_id: UUID
    expires_on: date
    customers: int
    names: list[str]


def expiring_groups(session: Session, days: Collection[date]) -> list[Group]:
    """Which owners lose something on which of the `days`; those who left lose nothing but by their hand-over."""
    works = exists().where(members.c.id == AssignmentRow.owner_id, members.c.active)
    found = select(AssignmentRow.owner_id, AssignmentRow.expires_on).where(*_expires_on(days), works).distinct()
    return [(owner_id, day) for owner_id, day in session.execute(found) if owner_id and day]


def expiring(session: Session, owner_ids: Collection[UUID], days: Collection[date]) -> list[Expiring]:
    """What these owners lose on these days."""
    names = func.array_agg(aggregate_order_by(Customer.name, Customer.id), type_=ARRAY(Text))
    found = (
        select(AssignmentRow.owner_id, AssignmentRow.expires_on, func.count(), names[1:_MOST_NAMES])
        .join(Customer, Customer.id == AssignmentRow.customer_id)
        .where(*_expires_on(days), among(AssignmentRow.owner_id, owner_ids))
        .group_by(AssignmentRow.owner_id, AssignmentRow.expires_on)
    )
    return [Expiring(*row) for row in session.execute(found)]


def told_on(session: Session, day: date) -> set[UUID]:
    """Who was sent the digest of a day."""
    return set(session.scalars(select(ExpiryDigest.member_id).where(ExpiryDigest.day == day)))


def _expires_on(days: Collection[date]) -> tuple[ColumnElement[bool], ...]:
    is_one = AssignmentRow.expires_on == any_(literal(list(days), ARRAY(Date)))
    return is_one, AssignmentRow.owner_id.is_not(None), ~AssignmentRow.suspended
