"""What notify reads of customer's collaborators: durable `notify-collaborations`."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from chassis.events.consumer import Event, Subscription
from crm.customer.v1 import customer_events_pb2 as pb
from crm_notify.collaborations.rules import notices_of_collaboration
from crm_notify.notifications.commands import notify
from directory.scope import active_members


def apply_collaborations(session: Session, events: Sequence[Event]) -> None:
    """Tell members in the app; nobody hears instead of one who has left."""
    facts = [(event.id, event.message) for event in events if isinstance(event.message, pb.CollaborationChanged)]
    notices = [notice for id_, fact in facts for notice in notices_of_collaboration(id_, fact)]
    active = active_members(session, {notice.member_id for notice in notices})
    notify(session, [notice for notice in notices if notice.member_id in active])


COLLABORATIONS = Subscription("notify-collaborations", "CRM_CUSTOMER", (pb.CollaborationChanged,), apply_collaborations)
