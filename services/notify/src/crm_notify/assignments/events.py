"""What notify reads of pool: durable `notify-assignments`."""

from collections.abc import Iterable
from typing import cast

from sqlalchemy.orm import Session

from chassis.events.consumer import Event
from crm.pool.v1 import pool_events_pb2 as pb
from crm_notify.assignments.queries import notices_of_leaver
from crm_notify.assignments.rules import concerns_somebody, notices_of_batch, notices_of_changes
from crm_notify.notifications.rules import Notice
from crm_notify.telling.events import told


def _notices(session: Session, event: Event) -> Iterable[Notice]:
    if isinstance(event.message, pb.OwnerLeft):
        return notices_of_leaver(session, event.id, event.message)
    if isinstance(event.message, pb.AssignmentBatchFinished):
        return notices_of_batch(event.id, event.message)
    return notices_of_changes(event.id, cast("pb.AssignmentsChanged", event.message))


ASSIGNMENTS = told(
    "notify-assignments",
    "CRM_POOL",
    (pb.AssignmentsChanged, pb.AssignmentBatchFinished, pb.OwnerLeft),
    _notices,
    concerns=concerns_somebody,
)
