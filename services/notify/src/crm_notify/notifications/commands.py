"""Writing notifications: many receivers in one statement, each event told once."""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert

from chassis.database.rows import listed, rowset
from chassis.errors import NotFound
from chassis.identifiers import new_id
from crm_notify.notifications.model import Notification
from crm_notify.notifications.rules import Kind, Notice

NOTIFICATIONS_CHANNEL, PROGRESS_CHANNEL = "notifications", "progress"
# A payload of NOTIFY holds less than 8,000 bytes, the longest word and its comma take 81.
_WORDS_A_PAYLOAD = 90


def notify(session: Session, notices: Sequence[tuple[Notice, bool]], now: datetime) -> dict[UUID, int]:
    """Store what has not been told yet, each notice shown in the app or not, and wake the streams of its readers.

    Returns the ids of the new ones, each with its place in `notices`.
    """
    if not notices:
        return {}
    rows = [_row(new_id(), notice, now, shown=shown) for notice, shown in notices]
    places = {row["id"]: place for place, row in enumerate(rows)}
    told = {row.id: places[row.id] for row in session.execute(_insertion(tuple(rows[0])), listed(rows))}
    announce(
        session, NOTIFICATIONS_CHANNEL, {rows[place]["member_id"] for place in told.values() if rows[place]["in_app"]}
    )
    return told


def _row(id_: UUID, notice: Notice, now: datetime, *, shown: bool) -> dict[str, Any]:
    return {
        "id": id_,
        "member_id": notice.member_id,
        "kind": str(notice.kind),
        "subject_type": notice.subject_type,
        "subject_id": notice.subject_id,
        "parameters": notice.parameters,
        "batch_id": notice.batch_id,
        "source_event_id": notice.source_event_id,
        "in_app": shown,
        "occurred_at": notice.occurred_at or now,
    }


@cache
def _insertion(keys: tuple[str, ...]) -> ReturningInsert[Any]:
    table = cast("Table", Notification.__table__)
    new = insert(table).from_select(keys, select(rowset(table, keys)))
    return new.on_conflict_do_nothing().returning(table.c.id)


def mark_read(session: Session, member_id: UUID, notification_id: UUID, now: datetime) -> Notification:
    """Mark one's own notification as read; again is fine. Raises NotFound for anybody else's."""
    found = _own(session, member_id, notification_id)
    return _told(session, found, changed=found.mark_read(now))


def mark_unread(session: Session, member_id: UUID, notification_id: UUID) -> Notification:
    """Mark one's own notification as unread; again is fine. Raises NotFound."""
    found = _own(session, member_id, notification_id)
    return _told(session, found, changed=found.mark_unread())


def snooze(session: Session, member_id: UUID, notification_id: UUID, until: datetime) -> Notification:
    """Put one's own notification out of sight until then (K-14). Raises NotFound, Conflict notification_dismissed."""
    found = _own(session, member_id, notification_id)
    found.snooze(until)
    return _told(session, found, changed=True)


def restore(session: Session, member_id: UUID, notification_id: UUID) -> Notification:
    """Bring back one's own notification that was dismissed or snoozed; again is fine. Raises NotFound."""
    found = _own(session, member_id, notification_id)
    return _told(session, found, changed=found.restore())


def dismiss(session: Session, member_id: UUID, notification_ids: Collection[UUID], now: datetime) -> set[UUID]:
    """Put one's own notifications out of sight for good (K-14); again is fine. Returns those that are one's own."""
    own = select(Notification).where(
        Notification.id.in_(notification_ids), Notification.member_id == member_id, Notification.in_app
    )
    found = session.scalars(own.order_by(Notification.id).with_for_update()).all()
    changed = [notification.dismiss(now) for notification in found]
    if any(changed):
        announce(session, NOTIFICATIONS_CHANNEL, [member_id])
    return {notification.id for notification in found}


def dismiss_one(session: Session, member_id: UUID, notification_id: UUID, now: datetime) -> Notification:
    """As `dismiss`. Raises NotFound."""
    found = _own(session, member_id, notification_id)
    return _told(session, found, changed=found.dismiss(now))


def mark_all_read(session: Session, member_id: UUID, kinds: Collection[Kind] | None, now: datetime) -> None:
    """Mark all of one's notifications that are shown as read, or those of some kinds; again is fine."""
    unread = [
        Notification.member_id == member_id,
        Notification.in_app,
        Notification.read_at.is_(None),
        Notification.dismissed_at.is_(None),
        Notification.snoozed_until.is_(None),
    ]
    if kinds is not None:
        unread.append(Notification.kind.in_(kinds))
    read = update(Notification).where(*unread).values(read_at=now).execution_options(synchronize_session=False)
    if session.connection().execute(read).rowcount:
        announce(session, NOTIFICATIONS_CHANNEL, [member_id])


def wake(session: Session, now: datetime, limit: int) -> int:
    """Show again, unread, what was snoozed until now, `limit` at most. Returns how many it was."""
    due = (
        select(Notification.id)
        .where(Notification.snoozed_until <= now)
        .order_by(Notification.snoozed_until)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    woken = update(Notification).where(Notification.id.in_(due)).values(snoozed_until=None, read_at=None)
    members = session.scalars(woken.returning(Notification.member_id)).all()
    announce(session, NOTIFICATIONS_CHANNEL, members)
    return len(members)


def _own(session: Session, member_id: UUID, notification_id: UUID) -> Notification:
    own = (Notification.id == notification_id, Notification.member_id == member_id, Notification.in_app)
    found = session.scalar(select(Notification).where(*own).with_for_update())
    if found is None:
        raise NotFound("not_found")
    return found


def _told(session: Session, notification: Notification, *, changed: bool) -> Notification:
    if changed:
        announce(session, NOTIFICATIONS_CHANNEL, [notification.member_id])
    return notification


def show_in_app(session: Session, notification_ids: Collection[UUID]) -> None:
    """Show what could not be told by e-mail, so that its receiver hears of it all the same; not what was withdrawn."""
    hidden = (Notification.id.in_(notification_ids), ~Notification.in_app, Notification.dismissed_at.is_(None))
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
