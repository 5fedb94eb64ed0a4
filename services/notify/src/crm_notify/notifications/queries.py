"""Reading one's own notifications, and the members that words name."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from crm_notify.notifications.model import Notification
from directory.permissions import Permission
from directory.scope import manager_of
from directory.tables import members, roles


def own_notifications(
    session: Session, member_id: UUID, unread: bool | None, page: int, page_size: int
) -> tuple[Sequence[Notification], int]:
    """One page, newest first, and how many there are; `unread` True or False keeps only those."""
    wanted = [Notification.member_id == member_id, Notification.in_app]
    if unread is not None:
        wanted.append(Notification.read_at.is_(None) if unread else Notification.read_at.is_not(None))
    total = session.scalar(select(func.count()).select_from(Notification).where(*wanted)) or 0
    rows = session.scalars(
        select(Notification)
        .where(*wanted)
        .order_by(Notification.id.desc())
        .limit(page_size)
        .offset((page - 1) * page_size)
    )
    return rows.all(), total


def unread_count(session: Session, member_id: UUID) -> int:
    """How many of the member's notifications are unread (J-14)."""
    unread = (Notification.member_id == member_id, Notification.in_app, Notification.read_at.is_(None))
    return session.scalar(select(func.count()).select_from(Notification).where(*unread)) or 0


def names_of(session: Session, member_ids: Collection[UUID]) -> dict[UUID, str]:
    """Names of members, those who left included."""
    if not member_ids:
        return {}
    return {
        row.id: row.name
        for row in session.execute(select(members.c.id, members.c.name).where(members.c.id.in_(member_ids)))
    }


def stand_ins(session: Session, member_ids: Collection[UUID]) -> dict[UUID, UUID | None]:
    """Of `member_ids`, those who have left, each with the active manager who hears in their place (design §3)."""
    left = session.scalars(select(members.c.id).where(members.c.id.in_(member_ids), ~members.c.active)).all()
    return managers(session, left)


def managers(session: Session, member_ids: Collection[UUID]) -> dict[UUID, UUID | None]:
    """The active manager of each member, None: there is none."""
    # One query per member: they have left, and of these there is seldom even one among the receivers of a set.
    found = {member_id: manager_of(session, member_id) for member_id in member_ids}
    wanted = [manager for manager in found.values() if manager]
    active = set(session.scalars(select(members.c.id).where(members.c.id.in_(wanted), members.c.active)))
    return {member_id: manager if manager in active else None for member_id, manager in found.items()}


def administrators(session: Session) -> Sequence[UUID]:
    """Members who manage the organisation, the longest known first; 20 at most."""
    held = exists().where(
        roles.c.id == func.any(members.c.role_ids),
        roles.c.permissions.contains([Permission.ORGANISATION_MANAGE.value]),
        ~roles.c.deleted,
    )
    found = select(members.c.id).where(members.c.active, ~members.c.service_account, held)
    return session.scalars(found.order_by(members.c.id).limit(20)).all()
