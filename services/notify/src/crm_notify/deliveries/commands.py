"""The delivery ledger's moves: queue, take under a lease, settle, give back."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, insert, select, tuple_, update
from sqlalchemy.orm import Session

from chassis.identifiers import new_id
from crm_notify.deliveries.model import Delivery
from crm_notify.deliveries.rules import Channel, Failure, Status, message_id, wait_after
from crm_notify.notifications.commands import show_in_app
from crm_notify.notifications.rules import Notice

# Longer than a worker needs for what it takes; after it another one takes over.
LEASE = timedelta(minutes=5)


@dataclass(frozen=True)
class Taken:
    """A delivery leased to this worker. `attempts` tells this lease from a later one."""

    id: UUID
    notification_id: UUID | None
    member_id: UUID | None
    message_id: str
    attempts: int


def queue_mails(session: Session, notices: Mapping[UUID, Notice], domain: str) -> None:
    """Queue a mail for each of these notifications (by id) that is wanted by e-mail; `domain` is the sender's."""
    ids = {notification_id: new_id() for notification_id, notice in notices.items() if notice.email}
    if ids:
        session.execute(
            insert(Delivery),
            [
                {
                    "id": id_,
                    "notification_id": notification_id,
                    "member_id": notices[notification_id].member_id,
                    "channel": Channel.EMAIL,
                    "status": Status.QUEUED,
                    "attempts": 0,
                    "message_id": message_id(id_, domain),
                }
                for notification_id, id_ in ids.items()
            ],
        )


def take(session: Session, limit: int) -> Sequence[Taken]:
    """Lease what is due, and what a worker took and never settled. Two workers never get the same row."""
    due = (
        select(Delivery.id)
        .where(Delivery.status.in_([Status.QUEUED, Status.SENDING]), Delivery.next_attempt_at <= func.now())
        .order_by(Delivery.next_attempt_at, Delivery.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    rows = session.execute(
        update(Delivery)
        .where(Delivery.id == due.c.id)
        .values(status=Status.SENDING, attempts=Delivery.attempts + 1, next_attempt_at=func.now() + LEASE)
        .returning(Delivery.id, Delivery.notification_id, Delivery.member_id, Delivery.message_id, Delivery.attempts)
        .execution_options(synchronize_session=False)
    )
    return sorted((Taken(*row) for row in rows), key=lambda taken: taken.id)


def settle(session: Session, taken: Sequence[Taken], failure: Failure | None) -> None:
    """Record how the sending of these ended: all went out, or all failed alike. A lease lost meanwhile is left alone."""
    if failure is None:
        _update(session, taken, status=Status.SENT, sent_at=func.now(), last_error_code=None)
        return
    for attempts in {one.attempts for one in taken}:
        alike = [one for one in taken if one.attempts == attempts]
        wait = wait_after(attempts)
        if failure.permanent or wait is None:
            status = Status.FAILED if failure.permanent else Status.DEAD
            _update(session, alike, status=status, last_error_code=failure.code)
            show_in_app(session, [one.notification_id for one in alike if one.notification_id])
        else:
            retry_at = func.now() + wait
            _update(session, alike, status=Status.QUEUED, next_attempt_at=retry_at, last_error_code=failure.code)


def give_back(session: Session, taken: Sequence[Taken]) -> None:
    """Return what was taken and never tried: due at once, the attempt not counted."""
    _update(session, taken, status=Status.QUEUED, attempts=Delivery.attempts - 1, next_attempt_at=func.now())


def _update(session: Session, taken: Collection[Taken], **values: object) -> None:
    if taken:
        session.execute(
            update(Delivery).where(_mine(taken)).values(**values).execution_options(synchronize_session=False)
        )


def _mine(taken: Collection[Taken]) -> ColumnElement[bool]:
    held = [(one.id, one.attempts) for one in taken]
    return and_(Delivery.status == Status.SENDING, tuple_(Delivery.id, Delivery.attempts).in_(held))
