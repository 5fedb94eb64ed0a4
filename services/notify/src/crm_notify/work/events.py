"""What notify reads of the daily work that customer tells of: durable `notify-work`."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import cast

from sqlalchemy.orm import Session

from chassis.events.consumer import Apply, Event, Subscription
from chassis.runtime import Runtime
from crm.customer.v1 import customer_events_pb2 as pb
from crm_notify.mail.rules import MailChannel
from crm_notify.notifications.rules import Notice
from crm_notify.settings import Settings
from crm_notify.telling.commands import tell_active
from crm_notify.work import rules


def apply_work(session: Session, events: Sequence[Event], *, channel: MailChannel | None) -> None:
    """Tell whoever it concerns and has not left."""
    tell_active(session, [notice for event in events for notice in _notices(event)], channel)


def _notices(event: Event) -> Iterable[Notice]:
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


def _bound(runtime: Runtime) -> Apply:
    return partial(apply_work, channel=cast("Settings", runtime.settings).mail_channel())


WORK = Subscription(
    "notify-work",
    "CRM_CUSTOMER",
    (pb.WorkDigest, pb.ReminderDue, pb.TaskChanged, pb.TasksDispatched),
    partial(apply_work, channel=None),
    bind=_bound,
)
