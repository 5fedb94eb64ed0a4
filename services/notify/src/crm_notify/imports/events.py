"""What notify reads of import: durable `notify-imports`."""

from collections.abc import Iterable, Sequence

from sqlalchemy.orm import Session

from chassis.events.consumer import Event
from crm.imports.v1 import imports_events_pb2 as pb
from crm_notify.imports import rules
from crm_notify.notifications.commands import PROGRESS_CHANNEL, announce
from crm_notify.notifications.rules import Notice
from crm_notify.telling.events import told
from directory.scope import zone_of


def _notices(session: Session, event: Event) -> Iterable[Notice]:
    """For each actor how it ended, for new owners what they have got. That a job of the system itself (no actor) has ended
    concerns nobody else.
    """
    match event.message:
        case pb.ImportFinished():
            ended = [rules.notice_of_import(event.id, event.message.job)] if event.message.job.actor_id else []
            return [*ended, *rules.notices_to_owners(event.id, event.message)]
        case pb.ImportUndone():
            return rules.notices_of_undo(event.id, event.message)
        case pb.ExportFinished() if event.message.job.status != "cancelled":
            return [rules.notice_of_export(event.id, event.message.job, zone_of(session))]
    return []


def _hint_at_progress(session: Session, events: Sequence[Event]) -> None:
    made = (event.message for event in events)
    announce(session, PROGRESS_CHANNEL, {rules.progress_word(one) for one in made if isinstance(one, pb.ProgressMade)})


IMPORTS = told(
    "notify-imports",
    "CRM_IMPORTS",
    (pb.ImportFinished, pb.ImportUndone, pb.ExportFinished, pb.ProgressMade),
    _notices,
    beside=_hint_at_progress,
)
