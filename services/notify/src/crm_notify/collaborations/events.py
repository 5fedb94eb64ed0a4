"""What notify reads of customer's collaborators: durable `notify-collaborations`."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from chassis.events.consumer import Event, Subscription
from crm.customer.v1 import customer_events_pb2 as pb
from crm_notify.collaborations.rules import notices_of_collaboration
from crm_notify.telling.commands import tell_active


def apply_collaborations(session: Session, events: Sequence[Event]) -> None:
    """Tell members in the app; nobody hears instead of one who has left."""
    facts = [(event.id, event.message) for event in events if isinstance(event.message, pb.CollaborationChanged)]
    tell_active(session, [notice for id_, fact in facts for notice in notices_of_collaboration(id_, fact)], None)


COLLABORATIONS = Subscription("notify-collaborations", "CRM_CUSTOMER", (pb.CollaborationChanged,), apply_collaborations)
