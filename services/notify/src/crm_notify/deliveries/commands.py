"""Putting deliveries into the queue: new ones, and again those that a person wants sent once more."""

from collections.abc import Collection, Sequence
from typing import cast
from uuid import UUID

from sqlalchemy import Table, func, select, update
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.database.rows import insert_rows
from chassis.identifiers import new_id
from crm_notify.deliveries.model import Delivery
from crm_notify.deliveries.rules import RESENDABLE, Status, Way, digest_id, message_id


def queue(session: Session, ways: Sequence[tuple[UUID, UUID, Way]], domain: str | None) -> None:
    """Write the row of each (notification id, member id, way); `domain` is that of the sender of e-mails."""
    insert_rows(session, cast("Table", Delivery.__table__), [_row(*way, domain or "localhost") for way in ways])


def _row(notification_id: UUID, member_id: UUID, way: Way, domain: str) -> dict[str, object]:
    id_ = new_id()
    return {
        "id": id_,
        "notification_id": notification_id,
        "member_id": member_id,
        "channel": str(way.channel),
        "status": str(Status.SUPPRESSED if way.code else Status.QUEUED),
        "digest_id": digest_id(member_id, way.channel, way.slot) if way.slot else None,
        "attempts": 0,
        "next_attempt_at": way.at,
        "last_error_code": way.code,
        "message_id": message_id(id_, domain),
    }


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
