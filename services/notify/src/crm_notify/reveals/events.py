"""What notify reads of looks at hidden contacts: durable `notify-reveals`."""

from collections.abc import Iterable
from typing import cast

from sqlalchemy.orm import Session

from chassis.events.consumer import Event
from crm.customer.v1 import customer_events_pb2 as pb
from crm_notify.notifications.rules import Notice
from crm_notify.reveals.rules import notices_of_reveals
from crm_notify.telling.events import told


def _notices(_session: Session, event: Event) -> Iterable[Notice]:
    return notices_of_reveals(event.id, cast("pb.RevealsSurged", event.message))


REVEALS = told("notify-reveals", "CRM_CUSTOMER", (pb.RevealsSurged,), _notices)
