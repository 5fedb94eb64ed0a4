"""Reading one's own notifications, and the members that words name."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm_notify.notifications.model import Notification
from directory.permissions import Permission
from directory.scope import holders_of, managers_of
from directory.tables import members


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
    found = managers_of(session, member_ids)
    active = set(session.scalars(select(members.c.id).where(members.c.id.in_(found.values()), members.c.active)))
    return {id_: found[id_] if found.get(id_) in active else None for id_ in member_ids}


def administrators(session: Session) -> Sequence[UUID]:
    """Members who manage the organisation, the longest known first; 20 at most."""
    return holders_of(session, Permission.ORGANISATION_MANAGE)[:20]
