"""Taking back what was told: out of every inbox, and out of the queue."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import Uuid, any_, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.types import Text

from crm_notify.deliveries.model import Delivery
from crm_notify.deliveries.rules import Status
from crm_notify.notifications.commands import NOTIFICATIONS_CHANNEL, announce
from crm_notify.notifications.model import Notification
from crm_notify.withdrawing.rules import QUOTED

WITHDRAWN = "withdrawn"


def withdraw(session: Session, source_event_id: UUID, member_ids: Collection[UUID]) -> None:
    """Let these members hear no more of an event. Who has read of it stays known; what has left already is out."""
    told = (
        Notification.source_event_id == source_event_id,
        Notification.member_id == any_(literal(list(member_ids), ARRAY(Uuid))),
    )
    found = session.execute(
        update(Notification)
        .where(*told)
        .values(
            in_app=False,
            dismissed_at=func.now(),
            parameters=Notification.parameters.op("-")(literal(list(QUOTED), ARRAY(Text))),
        )
        .returning(Notification.id, Notification.member_id)
        .execution_options(synchronize_session=False)
    ).all()
    session.execute(
        update(Delivery)
        .where(Delivery.notification_id.in_(select(Notification.id).where(*told)), Delivery.status == Status.QUEUED)
        .values(status=Status.SUPPRESSED, last_error_code=WITHDRAWN)
        .execution_options(synchronize_session=False)
    )
    announce(session, NOTIFICATIONS_CHANNEL, {row.member_id for row in found})
