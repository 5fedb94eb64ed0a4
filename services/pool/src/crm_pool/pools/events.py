"""What happens to pools when somebody leaves."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.events.consumer import Event, Subscription
from crm.identity.v1.identity_events_pb2 import MemberDeactivated
from crm_pool.pools import commands


def _remove_leavers(session: Session, events: Sequence[Event]) -> None:
    messages = [event.message for event in events if isinstance(event.message, MemberDeactivated)]
    commands.remove_leavers(session, {UUID(member.id) for message in messages for member in message.members})


LEAVERS = Subscription("pool-leavers", "CRM_IDENTITY", (MemberDeactivated,), _remove_leavers)
