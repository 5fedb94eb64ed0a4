"""What notify reads of looks at hidden contacts: durable `notify-reveals`."""

from collections.abc import Sequence
from functools import partial
from typing import cast

from sqlalchemy.orm import Session

from chassis.events.consumer import Apply, Event, Subscription
from chassis.runtime import Runtime
from crm.customer.v1 import customer_events_pb2 as pb
from crm_notify.mail.rules import MailChannel
from crm_notify.reveals.rules import notices_of_reveals
from crm_notify.settings import Settings
from crm_notify.telling.commands import tell_active


def apply_reveals(session: Session, events: Sequence[Event], *, channel: MailChannel | None) -> None:
    """Tell whoever runs the pool and has not left."""
    facts = [(event.id, event.message) for event in events if isinstance(event.message, pb.RevealsSurged)]
    tell_active(session, [notice for id_, fact in facts for notice in notices_of_reveals(id_, fact)], channel)


def _bound(runtime: Runtime) -> Apply:
    return partial(apply_reveals, channel=cast("Settings", runtime.settings).mail_channel())


REVEALS = Subscription(
    "notify-reveals", "CRM_CUSTOMER", (pb.RevealsSurged,), partial(apply_reveals, channel=None), bind=_bound
)
