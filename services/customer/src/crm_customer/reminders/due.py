"""Reminding of each moment that was asked for, telling each member once a day what is due, and forgetting who was told."""

from chassis import clock
from chassis.due import DueTask
from chassis.runtime import Runtime
from crm_customer.reminders import commands
from crm_customer.reminders.moments import OF_SCHEDULE_ENTRIES, OF_TASKS, Moments, remind
from crm_customer.reminders.queries import today_of


def _reminding(name: str, moments: Moments) -> DueTask:
    def run(runtime: Runtime) -> bool:
        with runtime.database.transaction() as session:
            return remind(session, moments, clock.now())

    return DueTask(name, 60, run)


def _send(runtime: Runtime) -> bool:
    with runtime.database.transaction() as session:
        return commands.send_digests(session, clock.now())


def _forget(runtime: Runtime) -> bool:
    with runtime.database.transaction() as session:
        commands.forget_digests(session, today_of(session, clock.now())[0].today)
    return False


REMINDERS = (
    _reminding("remind-of-tasks", OF_TASKS),
    _reminding("remind-of-schedule-entries", OF_SCHEDULE_ENTRIES),
    DueTask("send-work-digests", 60, _send),
    DueTask("forget-work-digests", 3600, _forget),
)
