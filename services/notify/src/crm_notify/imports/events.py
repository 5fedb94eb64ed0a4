"""What notify reads of import: durable `notify-imports`."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from chassis.events.consumer import Event, Subscription
from crm.imports.v1 import imports_events_pb2 as pb
from crm_notify.imports.rules import (
    notice_of_export,
    notice_of_import,
    notices_of_undo,
    notices_to_owners,
    progress_word,
)
from crm_notify.notifications.commands import PROGRESS_CHANNEL, announce, notify
from directory.scope import zone_of


def apply_imports(session: Session, events: Sequence[Event]) -> None:
    """Tell each actor how it ended, new owners what they have got, and open pages of progress. That a job of the system
    itself (no actor) has ended concerns nobody.
    """
    finished = [(event.id, event.message) for event in events if isinstance(event.message, pb.ImportFinished)]
    notify(session, [notice_of_import(event_id, one.job) for event_id, one in finished if one.job.actor_id])
    notify(session, [notice for event_id, one in finished for notice in notices_to_owners(event_id, one)])
    undone = [(event.id, event.message) for event in events if isinstance(event.message, pb.ImportUndone)]
    notify(session, [notice for event_id, message in undone for notice in notices_of_undo(event_id, message)])
    zone = zone_of(session)
    exports = [(event.id, event.message.job) for event in events if isinstance(event.message, pb.ExportFinished)]
    notify(session, [notice_of_export(event_id, job, zone) for event_id, job in exports if job.status != "cancelled"])
    made = [event.message for event in events if isinstance(event.message, pb.ProgressMade)]
    announce(session, PROGRESS_CHANNEL, {progress_word(one) for one in made})


IMPORTS = Subscription(
    "notify-imports",
    "CRM_IMPORTS",
    (pb.ImportFinished, pb.ImportUndone, pb.ExportFinished, pb.ProgressMade),
    apply_imports,
)
