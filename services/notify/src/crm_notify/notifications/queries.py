"""Reading one's own notifications, and the members that words name."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ARRAY, ColumnExpressionArgument, Uuid, any_, literal, select
from sqlalchemy.orm import Session

from crm_notify.notifications.model import Notification
from crm_notify.notifications.rules import Category, Kind, category_of
from crm_notify.paging import COUNTED_ROWS, PagedQuery, bounded_count, rows_of
from directory.permissions import Permission
from directory.scope import holders_of, managers_of
from directory.tables import members

_ORDER = (Notification.occurred_at, Notification.id)


@dataclass(frozen=True)
class Wanted:
    """Which notifications of an inbox; None asks nothing. What is snoozed or dismissed is listed for itself."""

    unread: bool | None = None
    kinds: Collection[Kind] | None = None
    subject_id: UUID | None = None
    snoozed: bool = False
    dismissed: bool = False


def own_notifications(
    session: Session, member_id: UUID, wanted: Wanted, query: PagedQuery
) -> tuple[Sequence[Notification], int]:
    """The page of the inbox and one row more, the latest event first, and the bounded count (J-14, K-14)."""
    found = select(Notification).where(*_matching(member_id, wanted))
    return rows_of(session, found, _ORDER, query), bounded_count(session, found, _ORDER)


def _matching(member_id: UUID, wanted: Wanted) -> list[ColumnExpressionArgument[bool]]:
    found: list[ColumnExpressionArgument[bool]] = [Notification.member_id == member_id, Notification.in_app]
    found.append(Notification.dismissed_at.is_not(None) if wanted.dismissed else Notification.dismissed_at.is_(None))
    found.append(Notification.snoozed_until.is_not(None) if wanted.snoozed else Notification.snoozed_until.is_(None))
    if wanted.unread is not None:
        found.append(Notification.read_at.is_(None) if wanted.unread else Notification.read_at.is_not(None))
    if wanted.kinds is not None:
        found.append(Notification.kind.in_(sorted(wanted.kinds)))
    if wanted.subject_id is not None:
        found.append(Notification.subject_id == wanted.subject_id)
    return found


def unread_count(session: Session, member_id: UUID) -> int:
    """How many of the member's notifications are unread, COUNTED_ROWS at most (J-14)."""
    unread = select(Notification).where(*_matching(member_id, Wanted(unread=True)))
    return min(bounded_count(session, unread, _ORDER), COUNTED_ROWS)


def unread_by_category(session: Session, member_id: UUID) -> tuple[int, Mapping[Category, int]]:
    """How many of the member's notifications are unread, in all and of each category, the newest COUNTED_ROWS at most."""
    unread = (
        select(Notification.kind)
        .where(*_matching(member_id, Wanted(unread=True)))
        .order_by(*(column.desc() for column in _ORDER))
        .limit(COUNTED_ROWS)
    )
    kinds = session.scalars(unread).all()
    counted = Counter(category_of(kind) for kind in kinds)
    return len(kinds), {category: counted[category] for category in Category}


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
    wanted = literal(list(member_ids), ARRAY(Uuid))
    left = session.scalars(select(members.c.id).where(members.c.id == any_(wanted), ~members.c.active)).all()
    return managers(session, left)


def managers(session: Session, member_ids: Collection[UUID]) -> dict[UUID, UUID | None]:
    """The active manager of each member, None: there is none."""
    found = managers_of(session, member_ids)
    active = set(session.scalars(select(members.c.id).where(members.c.id.in_(found.values()), members.c.active)))
    return {id_: found[id_] if found.get(id_) in active else None for id_ in member_ids}


def administrators(session: Session) -> Sequence[UUID]:
    """Members who manage the organisation, the longest known first; 20 at most."""
    return holders_of(session, Permission.ORGANISATION_MANAGE)[:20]
