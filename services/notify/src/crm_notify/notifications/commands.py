"""Writing notifications: many receivers in one statement, each event told once."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from chassis.errors import NotFound
from chassis.identifiers import new_id
from crm_notify.notifications.model import Notification
from crm_notify.notifications.rules import Notice

NOTIFICATIONS_CHANNEL, PROGRESS_CHANNEL = "notifications", "progress"
# A payload of NOTIFY holds less than 8,000 bytes, the longest word and its comma take 81.
_WORDS_A_PAYLOAD = 90


def notify(session: Session, notices: Sequence[Notice]) -> dict[UUID, Notice]:
    """Store what has not been told yet and wake the streams of its readers. Returns the new ones by notification id."""
    if not notices:
        return {}
    by_id = {new_id(): notice for notice in notices}
    new = set(
        session.scalars(
            insert(Notification).on_conflict_do_nothing().returning(Notification.id),
            [_row(id_, notice) for id_, notice in by_id.items()],
        )
    )
    announce(session, NOTIFICATIONS_CHANNEL, {by_id[id_].member_id for id_ in new if by_id[id_].in_app})
    return {id_: notice for id_, notice in by_id.items() if id_ in new}


def _row(id_: UUID, notice: Notice) -> dict[str, object]:
    return {
        "id": id_,
        "member_id": notice.member_id,
        "kind": str(notice.kind),
        "subject_type": notice.subject_type,
        "subject_id": notice.subject_id,
        "parameters": notice.parameters,
        "batch_id": notice.batch_id,
        "source_event_id": notice.source_event_id,
        "in_app": notice.in_app,
    }


def mark_read(session: Session, member_id: UUID, notification_id: UUID, now: datetime) -> Notification:
    """Mark one's own notification as read; again is fine. Raises NotFound for anybody else's."""
    found = session.scalar(
        select(Notification)
        .where(Notification.id == notification_id, Notification.member_id == member_id, Notification.in_app)
        .with_for_update()
    )
    if found is None:
        raise NotFound("not_found")
    if found.mark_read(now):
        announce(session, NOTIFICATIONS_CHANNEL, [member_id])
    return found


def mark_all_read(session: Session, member_id: UUID, now: datetime) -> None:
    """Mark all of one's notifications as read; again is fine."""
    unread = (Notification.member_id == member_id, Notification.in_app, Notification.read_at.is_(None))
    changed = session.scalars(update(Notification).where(*unread).values(read_at=now).returning(Notification.id)).all()
    if changed:
        announce(session, NOTIFICATIONS_CHANNEL, [member_id])


def show_in_app(session: Session, notification_ids: Collection[UUID]) -> None:
    """Show what could not be told by e-mail, so that its receiver hears of it all the same."""
    hidden = (Notification.id.in_(notification_ids), ~Notification.in_app)
    members = session.scalars(
        update(Notification).where(*hidden).values(in_app=True).returning(Notification.member_id)
    ).all()
    announce(session, NOTIFICATIONS_CHANNEL, members)


def announce(session: Session, channel: str, words: Collection[UUID | str]) -> None:
    """Tell push processes, once this transaction commits, that something changed for these members, or else what."""
    told = sorted({str(word) for word in words})
    parts = [",".join(told[start : start + _WORDS_A_PAYLOAD]) for start in range(0, len(told), _WORDS_A_PAYLOAD)]
    if parts:
        session.execute(
            text("SELECT pg_notify(:channel, part) FROM unnest(CAST(:parts AS text[])) AS part"),
            {"channel": channel, "parts": parts},
        )
