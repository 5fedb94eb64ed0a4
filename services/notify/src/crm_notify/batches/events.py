"""What notify reads of customer's batches: durable `notify-customer-batches`."""

from collections.abc import Iterable
from typing import cast

from sqlalchemy.orm import Session

from chassis.events.consumer import Event
from crm.customer.v1 import customer_events_pb2 as pb
from crm_notify.batches.rules import notices_of_customer_batch
from crm_notify.notifications.rules import Notice
from crm_notify.telling.events import told


def _notices(_session: Session, event: Event) -> Iterable[Notice]:
    return notices_of_customer_batch(event.id, cast("pb.CustomerBatchFinished", event.message))


CUSTOMER_BATCHES = told("notify-customer-batches", "CRM_CUSTOMER", (pb.CustomerBatchFinished,), _notices)
