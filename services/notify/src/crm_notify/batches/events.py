"""What notify reads of customer's batches: durable `notify-customer-batches`."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from chassis.events.consumer import Event, Subscription
from crm.customer.v1 import customer_events_pb2 as pb
from crm_notify.batches.rules import notices_of_customer_batch
from crm_notify.telling.commands import tell


def apply_customer_batches(session: Session, events: Sequence[Event]) -> None:
    """Tell actors and owners in the app. Events of single pages of a batch concern nobody."""
    facts = [(event.id, event.message) for event in events if isinstance(event.message, pb.CustomerBatchFinished)]
    tell(session, [notice for id_, fact in facts for notice in notices_of_customer_batch(id_, fact)], None)


CUSTOMER_BATCHES = Subscription(
    "notify-customer-batches", "CRM_CUSTOMER", (pb.CustomerBatchFinished,), apply_customer_batches
)
