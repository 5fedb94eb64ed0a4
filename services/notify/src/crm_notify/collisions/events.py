"""What notify reads of customer's collision desk: durable `notify-collisions`."""

from collections.abc import Iterable
from typing import cast

from sqlalchemy.orm import Session

from chassis.events.consumer import Event
from crm.customer.v1 import customer_events_pb2 as pb
from crm_notify.collisions.rules import notices_of_closing, notices_of_opening
from crm_notify.notifications.rules import Notice
from crm_notify.telling.events import told


def _notices(_session: Session, event: Event) -> Iterable[Notice]:
    """For whoever decides, and then for whom it concerns."""
    if isinstance(event.message, pb.CollisionOpened):
        return notices_of_opening(event.id, event.message)
    return notices_of_closing(event.id, cast("pb.CollisionClosed", event.message))


COLLISIONS = told("notify-collisions", "CRM_CUSTOMER", (pb.CollisionOpened, pb.CollisionClosed), _notices)
