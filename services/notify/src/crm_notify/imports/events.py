"""What notify reads of import, which exports as well: durable `notify-imports`."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from chassis.events.consumer import Event, Subscription
from crm.imports.v1 import imports_events_pb2 as pb
from crm_notify.imports.rules import notice_of_export, notice_of_import
from crm_notify.notifications.commands import notify
from directory.scope import zone_of


def apply_imports(session: Session, events: Sequence[Event]) -> None:
    """Tell each actor how it ended. Jobs of the system itself (no actor) concern nobody."""
    jobs = [(event.id, event.message.job) for event in events if isinstance(event.message, pb.ImportFinished)]
    notify(session, [notice_of_import(event_id, job) for event_id, job in jobs if job.actor_id])
    zone = zone_of(session)
    exports = [(event.id, event.message.job) for event in events if isinstance(event.message, pb.ExportFinished)]
    notify(session, [notice_of_export(event_id, job, zone) for event_id, job in exports if job.status != "cancelled"])


IMPORTS = Subscription("notify-imports", "CRM_IMPORTS", (pb.ImportFinished, pb.ExportFinished), apply_imports)
