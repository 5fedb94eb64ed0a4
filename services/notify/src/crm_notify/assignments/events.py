"""What notify reads of pool: durable `notify-assignments`."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import cast

from sqlalchemy.orm import Session

from chassis.events.consumer import Apply, Event, Subscription
from chassis.runtime import Runtime
from crm.pool.v1 import pool_events_pb2 as pb
from crm_notify.assignments.queries import notices_of_leaver
from crm_notify.assignments.rules import concerns_somebody, notices_of_batch, notices_of_changes
from crm_notify.mail.rules import MailChannel
from crm_notify.notifications.rules import Notice
from crm_notify.settings import Settings
from crm_notify.telling.commands import tell


def apply_assignments(session: Session, events: Sequence[Event], *, channel: MailChannel | None) -> None:
    """Tell whom a set of facts concerns; `channel` is None while e-mail is off."""
    tell(session, [notice for event in events for notice in _notices(session, event)], channel)


def _notices(session: Session, event: Event) -> Iterable[Notice]:
    if isinstance(event.message, pb.OwnerLeft):
        return notices_of_leaver(session, event.id, event.message)
    if isinstance(event.message, pb.AssignmentBatchFinished):
        return notices_of_batch(event.id, event.message)
    return notices_of_changes(event.id, cast("pb.AssignmentsChanged", event.message))


def _bound(runtime: Runtime) -> Apply:
    return partial(apply_assignments, channel=cast("Settings", runtime.settings).mail_channel())


ASSIGNMENTS = Subscription(
    "notify-assignments",
    "CRM_POOL",
    (pb.AssignmentsChanged, pb.AssignmentBatchFinished, pb.OwnerLeft),
    partial(apply_assignments, channel=None),
    concerns=concerns_somebody,
    bind=_bound,
)
