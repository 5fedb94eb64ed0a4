"""What notify reads of import: durable `notify-imports`."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from chassis.events.consumer import Event, Subscription
from crm.imports.v1 import imports_events_pb2 as pb
from crm_notify.imports.rules import notice_of_import
from crm_notify.notifications.commands import notify


def apply_imports(session: Session, events: Sequence[Event]) -> None:
    """Tell each actor the counts. Jobs of the system itself (no actor) concern nobody."""
    jobs = [(event.id, event.message.job) for event in events if isinstance(event.message, pb.ImportFinished)]
    notify(session, [notice_of_import(event_id, job) for event_id, job in jobs if job.actor_id])


IMPORTS = Subscription("notify-imports", "CRM_IMPORTS", (pb.ImportFinished,), apply_imports)
