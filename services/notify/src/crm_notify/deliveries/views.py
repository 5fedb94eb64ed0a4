"""Shapes of the delivery ledger on the wire."""

from datetime import datetime
from uuid import UUID

from chassis.http.api import PageQuery, View
from crm_notify.deliveries.model import Delivery
from crm_notify.deliveries.rules import Status


class DeliveryQuery(PageQuery):
    """Which deliveries to list."""

    status: Status | None = None


class Receiver(View):
    """The member a mail goes to; never the address."""

    id: UUID
    name: str


class DeliveryView(View):
    """One row of the ledger. `last_error` is `last_error_code` in words."""

    id: UUID
    notification_id: UUID | None
    member: Receiver | None
    channel: str
    status: Status
    attempts: int
    next_attempt_at: datetime | None
    last_error_code: str | None
    last_error: str | None
    message_id: str
    created_at: datetime
    sent_at: datetime | None

    @classmethod
    def of(cls, row: Delivery, name: str, last_error: str | None) -> "DeliveryView":
        """The view of `row`."""
        open_ = row.status in (Status.QUEUED, Status.SENDING)
        return cls(
            id=row.id,
            notification_id=row.notification_id,
            member=Receiver(id=row.member_id, name=name) if row.member_id else None,
            channel=row.channel,
            status=Status(row.status),
            attempts=row.attempts,
            next_attempt_at=row.next_attempt_at if open_ else None,
            last_error_code=row.last_error_code,
            last_error=last_error,
            message_id=row.message_id,
            created_at=row.created_at,
            sent_at=row.sent_at,
        )
