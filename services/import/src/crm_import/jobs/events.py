"""What import reads of identity: durable `import-directory`. Whoever leaves imports and exports no further row."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.events.consumer import Event
from crm.identity.v1 import identity_events_pb2 as pb
from crm_import.exports.commands import stop_exports_of
from crm_import.jobs.commands import stop_imports_of
from directory.events import apply_directory, directory_subscription
from directory.scope import active_members


def apply_directory_and_stop_leavers(session: Session, events: Sequence[Event]) -> None:
    """Keep the directory; the running imports and exports of members who left end in the same transaction."""
    apply_directory(session, events)
    told = {
        UUID(member.id)
        for event in events
        if isinstance(event.message, pb.MemberDeactivated)
        for member in event.message.members
    }
    # An event may come late, and its member be back by then.
    left = told - active_members(session, told).keys()
    if left:
        stop_imports_of(session, left, now())
        stop_exports_of(session, left, now())


DIRECTORY = replace(directory_subscription("import"), apply=apply_directory_and_stop_leavers)
