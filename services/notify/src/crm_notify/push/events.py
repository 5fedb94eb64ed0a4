"""The directory's consumer, which also tells push processes whose rights to look at again."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.events.consumer import Event
from crm.identity.v1 import identity_events_pb2 as pb
from crm_notify.notifications.commands import announce
from crm_notify.push.rules import MEMBERS_CHANNEL
from directory.events import apply_directory, directory_subscription


def apply_directory_and_announce(session: Session, events: Sequence[Event]) -> None:
    """Keep the states, then have the streams of changed members checked at once (design §2.5)."""
    apply_directory(session, events)
    changed = [event.message for event in events if isinstance(event.message, pb.MemberChanged | pb.MemberDeactivated)]
    announce(session, MEMBERS_CHANNEL, {UUID(member.id) for message in changed for member in message.members})


DIRECTORY = replace(directory_subscription("notify"), apply=apply_directory_and_announce)
