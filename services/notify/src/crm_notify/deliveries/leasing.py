"""How workers of any channel share the ledger: take under a lease, begin, settle, give back (decision 0035).

A lease is known by its end, which is the row's `next_attempt_at`: whoever holds another one changes nothing.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import cast
from uuid import UUID

from sqlalchemy import ColumnElement, Table, and_, func, literal, select, tuple_, update
from sqlalchemy.orm import Session

from chassis.database import try_lock
from crm_notify.deliveries.model import Delivery
from crm_notify.deliveries.rules import UNKNOWN, Channel, Failure, Outcome, Status, wait_after
from crm_notify.notifications.commands import show_in_app

# Longer than a message takes from its beginning to its end, by far.
LEASE = timedelta(minutes=5)
_THROTTLED = timedelta(minutes=1)
_OPEN = (Status.QUEUED, Status.SENDING)
# Its statements write many rows of the ledger a second, and none of them is in a session.
_TABLE = cast("Table", Delivery.__table__)


@dataclass(frozen=True)
class Taken:
    """A delivery leased to this worker until `lease`; `attempts` counts this try."""

    id: UUID
    notification_id: UUID | None
    recipient_id: UUID | None
    member_id: UUID | None
    digest_id: UUID | None
    message_id: str
    attempts: int
    lease: datetime


# What goes out as one message: one delivery, or all those of a digest, oldest first.
Message = Sequence[Taken]


def take(session: Session, channel: Channel, limit: int, *, mailings: bool = True) -> list[Message]:
    """Lease up to `limit` due messages: those to members first, mailings last. Two workers never get the same row."""
    messages: list[Message] = [[one] for one in _take_single(session, channel, Delivery.recipient_id.is_(None), limit)]
    messages += _take_digests(session, channel, limit - len(messages))
    if mailings:
        rest = limit - len(messages)
        messages += [[one] for one in _take_single(session, channel, Delivery.recipient_id.is_not(None), rest)]
    return messages


def _take_single(session: Session, channel: Channel, which: ColumnElement[bool], limit: int) -> Sequence[Taken]:
    if limit <= 0:
        return []
    due = (
        select(Delivery.id)
        .where(_due(channel), which, Delivery.digest_id.is_(None))
        .order_by(Delivery.next_attempt_at, Delivery.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    return _lease(session, Delivery.id == due.c.id)


def _take_digests(session: Session, channel: Channel, limit: int) -> list[Message]:
    """Whole digests, one worker at a time. What joins one after it was taken is a message of its own."""
    if limit <= 0 or not try_lock(session, f"take-digests-{channel}"):
        return []
    slot = (Delivery.next_attempt_at, Delivery.digest_id)
    due = select(*slot).where(_due(channel), Delivery.digest_id.is_not(None)).distinct().order_by(*slot).limit(limit)
    found = [tuple(row) for row in session.execute(due)]
    if not found:
        return []
    rows = _lease(session, and_(_due(channel), tuple_(*slot).in_(found)))
    by_digest = sorted(rows, key=lambda one: (str(one.digest_id), one.id))
    return [list(group) for _, group in groupby(by_digest, key=lambda one: one.digest_id)]


def _due(channel: Channel) -> ColumnElement[bool]:
    # Literal, so that the plan finds the index of what is queued whatever the parameters are.
    queued = Delivery.status == literal(Status.QUEUED.value, literal_execute=True)
    return and_(queued, Delivery.channel == channel, Delivery.next_attempt_at <= func.now())


def _lease(session: Session, which: ColumnElement[bool]) -> Sequence[Taken]:
    rows = session.execute(
        update(_TABLE)
        .where(which)
        .values(attempts=Delivery.attempts + 1, next_attempt_at=func.now() + LEASE)
        .returning(
            Delivery.id,
            Delivery.notification_id,
            Delivery.recipient_id,
            Delivery.member_id,
            Delivery.digest_id,
            Delivery.message_id,
            Delivery.attempts,
            Delivery.next_attempt_at.label("lease"),
        )
    )
    return sorted((Taken(**row) for row in rows.mappings()), key=lambda one: one.id)


def begin(session: Session, message: Message) -> Message:
    """Say that the message is handed over from now on, under one Message-ID. Returns it with its new lease; empty when
    any of it is not held any more: then it must not be sent.
    """
    held = (
        select(Delivery.id)
        .where(Delivery.status == Status.QUEUED, _held(message))
        .order_by(Delivery.id)
        .with_for_update()
        .cte("held")
    )
    whole = select(func.count()).select_from(held).scalar_subquery() == len(message)
    rows = session.execute(
        update(_TABLE)
        .where(Delivery.id == held.c.id, whole)
        .values(status=Status.SENDING, next_attempt_at=func.now() + LEASE, message_id=message[0].message_id)
        .returning(Delivery.id, Delivery.next_attempt_at)
    )
    leases = {row[0]: row[1] for row in rows}
    return [replace(one, lease=leases[one.id]) for one in message if one.id in leases]


def settle(session: Session, taken: Sequence[Taken], failure: Failure | None) -> None:
    """Record how the sending of these ended: all went out, or all failed alike. A lease lost meanwhile is left alone."""
    if failure is None:
        # Known to have gone out, even if it took so long that it counts as uncertain.
        ended = (*_OPEN, Status.UNCERTAIN)
        _update(session, taken, ended, status=Status.SENT, sent_at=func.now(), last_error_code=None)
        return
    match failure.outcome:
        case Outcome.RETRY:
            _try_again(session, taken, failure.code)
        case Outcome.THROTTLED:
            later = {"next_attempt_at": func.now() + _THROTTLED, "last_error_code": failure.code}
            _update(session, taken, _OPEN, status=Status.QUEUED, attempts=Delivery.attempts - 1, **later)
        case outcome:
            _end(session, taken, Status(outcome), failure.code)


def _try_again(session: Session, taken: Sequence[Taken], code: str) -> None:
    for attempts in {one.attempts for one in taken}:
        alike = [one for one in taken if one.attempts == attempts]
        wait = wait_after(attempts)
        if wait is None:
            _end(session, alike, Status.DEAD, code)
        else:
            retry_at = func.now() + wait
            _update(session, alike, _OPEN, status=Status.QUEUED, next_attempt_at=retry_at, last_error_code=code)


def _end(session: Session, taken: Sequence[Taken], status: Status, code: str) -> None:
    """What did not certainly reach its member is shown to them in the app."""
    _update(session, taken, _OPEN, status=status, last_error_code=code)
    show_in_app(session, [one.notification_id for one in taken if one.notification_id])


def give_back(session: Session, taken: Sequence[Taken]) -> None:
    """Return what was taken and never tried: due at once, the attempt not counted."""
    _update(session, taken, _OPEN, status=Status.QUEUED, attempts=Delivery.attempts - 1, next_attempt_at=func.now())


def lose(session: Session) -> int:
    """Call uncertain what was begun and never settled, whoever held it. Returns how many."""
    over = (Delivery.status == Status.SENDING, Delivery.next_attempt_at <= func.now())
    rows = session.scalars(
        update(_TABLE)
        .where(*over)
        .values(status=Status.UNCERTAIN, last_error_code=UNKNOWN.code)
        .returning(Delivery.notification_id)
    ).all()
    show_in_app(session, [notification_id for notification_id in rows if notification_id])
    return len(rows)


def _update(session: Session, taken: Collection[Taken], while_: Collection[Status], **values: object) -> None:
    if taken:
        session.execute(update(_TABLE).where(Delivery.status.in_(while_), _held(taken)).values(**values))


def _held(taken: Collection[Taken]) -> ColumnElement[bool]:
    return tuple_(Delivery.id, Delivery.next_attempt_at).in_([(one.id, one.lease) for one in taken])
