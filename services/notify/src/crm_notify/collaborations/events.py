"""What notify reads of customer's collaborators: durable `notify-collaborations`."""

from collections.abc import Iterable
from typing import cast

from sqlalchemy.orm import Session

from chassis.events.consumer import Event
from crm.customer.v1 import customer_events_pb2 as pb
from crm_notify.collaborations.rules import notices_of_collaboration
from crm_notify.notifications.rules import Notice
from crm_notify.telling.events import told


def _notices(_session: Session, event: Event) -> Iterable[Notice]:
    return notices_of_collaboration(event.id, cast("pb.CollaborationChanged", event.message))


COLLABORATIONS = told("notify-collaborations", "CRM_CUSTOMER", (pb.CollaborationChanged,), _notices)
