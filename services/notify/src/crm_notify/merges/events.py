"""What notify reads of customer's merges: durable `notify-merges`."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from chassis.events.consumer import Event, Subscription
from crm.customer.v1 import customer_events_pb2 as pb
from crm_notify.merges.rules import notices_of_merge, notices_of_unmerge
from crm_notify.telling.commands import tell


def apply_merges(session: Session, events: Sequence[Event]) -> None:
    """Tell owners of losers, in the app alone; for members who have left their managers hear."""
    merged = [(event.id, event.message) for event in events if isinstance(event.message, pb.CustomersMerged)]
    undone = [(event.id, event.message) for event in events if isinstance(event.message, pb.CustomersUnmerged)]
    notices = [notice for id_, fact in merged for notice in notices_of_merge(id_, fact)]
    tell(session, notices + [notice for id_, fact in undone for notice in notices_of_unmerge(id_, fact)], None)


MERGES = Subscription("notify-merges", "CRM_CUSTOMER", (pb.CustomersMerged, pb.CustomersUnmerged), apply_merges)
