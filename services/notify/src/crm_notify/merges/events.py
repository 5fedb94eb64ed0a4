"""What notify reads of customer's merges: durable `notify-merges`."""

from collections.abc import Iterable
from typing import cast

from sqlalchemy.orm import Session

from chassis.events.consumer import Event
from crm.customer.v1 import customer_events_pb2 as pb
from crm_notify.merges.rules import notices_of_merge, notices_of_unmerge
from crm_notify.notifications.rules import Notice
from crm_notify.telling.events import told


def _notices(_session: Session, event: Event) -> Iterable[Notice]:
    """For owners of losers."""
    if isinstance(event.message, pb.CustomersMerged):
        return notices_of_merge(event.id, event.message)
    return notices_of_unmerge(event.id, cast("pb.CustomersUnmerged", event.message))


MERGES = told("notify-merges", "CRM_CUSTOMER", (pb.CustomersMerged, pb.CustomersUnmerged), _notices)
