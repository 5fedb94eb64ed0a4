"""What notify reads of customer's collision desk: durable `notify-collisions`."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from chassis.events.consumer import Event, Subscription
from crm.customer.v1 import customer_events_pb2 as pb
from crm_notify.collisions.rules import notices_of_closing, notices_of_opening
from crm_notify.telling.commands import tell


def apply_collisions(session: Session, events: Sequence[Event]) -> None:
    """Tell, in the app, whoever decides, and then whom it concerns; for members who have left their managers hear."""
    opened = [(event.id, event.message) for event in events if isinstance(event.message, pb.CollisionOpened)]
    closed = [(event.id, event.message) for event in events if isinstance(event.message, pb.CollisionClosed)]
    notices = [notice for id_, fact in opened for notice in notices_of_opening(id_, fact)]
    tell(session, notices + [notice for id_, fact in closed for notice in notices_of_closing(id_, fact)], None)


COLLISIONS = Subscription(
    "notify-collisions", "CRM_CUSTOMER", (pb.CollisionOpened, pb.CollisionClosed), apply_collisions
)
