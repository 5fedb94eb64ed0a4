"""Shapes of the delivery ledger on the wire."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from chassis.http.api import NearDay, View
from chassis.wording import Messages
from crm_notify.deliveries.model import Delivery
from crm_notify.deliveries.rules import Channel, Status
from crm_notify.notifications.rules import Kind
from crm_notify.paging import PagedQuery


class DeliveryQuery(PagedQuery):
    """Which deliveries to list. `kind`: of notifications; `from` and `to`: days of the organisation, inclusive."""

    status: Status | None = None
    channel: Channel | None = None
    member_id: UUID | None = None
    kind: Kind | None = None
    notification_id: UUID | None = None
    mailing_id: UUID | None = None
    from_: NearDay | None = Field(default=None, alias="from")
    to: NearDay | None = None


class Receiver(View):
    """The member a message goes to; never the address."""

    id: UUID
    name: str


class DeliveryView(View):
    """One row of the ledger: of a notification (`kind` says of what) or of a mailing's recipient. `digest`: it goes out
    with others of its day. `last_error` is `last_error_code` in words: why it failed, or was never to be sent.
    """

    id: UUID
    notification_id: UUID | None
    kind: str | None
    mailing_id: UUID | None
    recipient_id: UUID | None
    member: Receiver | None
    channel: str
    status: Status
    digest: bool
    attempts: int
    next_attempt_at: datetime | None
    last_error_code: str | None
    last_error: str | None
    message_id: str
    created_at: datetime
    sent_at: datetime | None

    @classmethod
    def of(
        cls, row: Delivery, *, kind: str | None, mailing_id: UUID | None, name: str, last_error: str | None
    ) -> "DeliveryView":
        """The view of `row`; `name` is its member's."""
        open_ = row.status in (Status.QUEUED, Status.SENDING)
        return cls(
            id=row.id,
            notification_id=row.notification_id,
            kind=kind,
            mailing_id=mailing_id,
            recipient_id=row.recipient_id,
            member=Receiver(id=row.member_id, name=name) if row.member_id else None,
            channel=row.channel,
            status=Status(row.status),
            digest=row.digest_id is not None,
            attempts=row.attempts,
            next_attempt_at=row.next_attempt_at if open_ else None,
            last_error_code=row.last_error_code,
            last_error=last_error,
            message_id=row.message_id,
            created_at=row.created_at,
            sent_at=row.sent_at,
        )


def reason_of(code: str | None, messages: Messages, language: str) -> str | None:
    """Why something was not sent, in words, from the `code` of its delivery; None when nothing is known to be in its way."""
    if code is None:
        return None
    # A reply code of its own words, else those of its class: smtp_452 → smtp_4xx, sms_21408 → sms_xx.
    return messages.text((code, f"{code[:6]}xx", f"{code.partition('_')[0]}_xx", code), language, {"code": code})
