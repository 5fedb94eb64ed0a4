"""What notify reads of the daily work that customer tells of: durable `notify-work`."""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from chassis.events.consumer import Event
from crm.customer.v1 import customer_events_pb2 as pb
from crm_notify.notifications.rules import Notice
from crm_notify.telling.events import told
from crm_notify.work import rules


def _notices(_session: Session, event: Event) -> Iterable[Notice]:
    match event.message:
        case pb.WorkDigest():
            return [rules.notice_of_digest(event.id, event.message)]
        case pb.ReminderDue():
            return [rules.notice_of_reminder(event.id, event.message)]
        case pb.TaskChanged():
            return rules.notices_of_task(event.id, event.message)
        case pb.TasksDispatched():
            return rules.notices_of_dispatch(event.id, event.message)
    return []


WORK = told(
    "notify-work", "CRM_CUSTOMER", (pb.WorkDigest, pb.ReminderDue, pb.TaskChanged, pb.TasksDispatched), _notices
)
