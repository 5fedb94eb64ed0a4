"""Putting deliveries into the queue: new ones, and again those that a person wants sent once more."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.identifiers import new_id
from crm_notify.deliveries.model import Delivery
from crm_notify.deliveries.rules import RESENDABLE, Channel, Status, message_id
from crm_notify.notifications.rules import Notice


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


def resend(session: Session, ids: Collection[UUID], actor_id: UUID) -> Sequence[UUID]:
    """Queue again what is uncertain or was given up, under the same Message-ID and with all its tries. Returns which of
    `ids` these are; the others are left alone.
    """
    rows = session.scalars(
        select(Delivery)
        .where(Delivery.id.in_(ids), Delivery.status.in_(RESENDABLE))
        .order_by(Delivery.id)
        .with_for_update()
    ).all()
    record_audit(session, *[_resent(row, actor_id) for row in rows])
    found = [row.id for row in rows]
    session.execute(
        update(Delivery)
        .where(Delivery.id.in_(found))
        .values(status=Status.QUEUED, attempts=0, next_attempt_at=func.now(), last_error_code=None)
        .execution_options(synchronize_session="fetch")
    )
    return found


def _resent(row: Delivery, actor_id: UUID) -> AuditEntry:
    before = {"status": row.status, "last_error_code": row.last_error_code}
    return AuditEntry("delivery.resent", "delivery", row.id, actor_id, before, {"status": Status.QUEUED.value})
