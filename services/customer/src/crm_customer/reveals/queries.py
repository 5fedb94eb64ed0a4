"""Counting looks at hidden contacts."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm_customer.ownership.model import Pool
from crm_customer.reveals.model import Reveal
from directory.permissions import Permission
from directory.scope import active_members, holders_of


def looks(session: Session, member_id: UUID, pool_id: UUID, day: date) -> set[UUID]:
    """Contacts that the member has looked at in the pool on that day."""
    found = select(Reveal.contact_id).where(Reveal.member_id == member_id, Reveal.pool_id == pool_id, Reveal.day == day)
    return set(session.scalars(found))


def looks_since(session: Session, member_id: UUID, pool_id: UUID, moment: datetime) -> int:
    """How many looks there were after `moment`."""
    mine = (Reveal.member_id == member_id, Reveal.pool_id == pool_id, Reveal.at > moment)
    return session.scalar(select(func.count()).select_from(Reveal).where(*mine)) or 0


def told_since(session: Session, member_id: UUID, pool_id: UUID, moment: datetime) -> bool:
    """Whether somebody was told of the member's looks after `moment`."""
    mine = (Reveal.member_id == member_id, Reveal.pool_id == pool_id, Reveal.at > moment)
    return session.scalar(select(Reveal.at).where(*mine, Reveal.surged).limit(1)) is not None


def watchers(session: Session, pool: Pool, member_id: UUID) -> list[UUID]:
    """Who is told of a member's looks: the pool's other administrators, else whoever manages pools."""
    administrators = active_members(session, pool.admin_ids).keys() - {member_id}
    return sorted(administrators) or holders_of(session, Permission.POOL_MANAGE)
