"""What becomes of mailings by themselves: recipients are collected, ends noticed, and personal data forgotten."""

from typing import cast

from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.due import DueTask, measuring
from chassis.errors import Forbidden, Refusal, TooManyRequests, Unavailable
from chassis.logs import get_logger
from chassis.metrics import Fact
from chassis.runtime import Runtime
from crm_notify.customers.clients import list_recipients
from crm_notify.mailings import collecting
from crm_notify.mailings.commands import SUBJECT, finish_one, forget_one
from crm_notify.mailings.queries import open_mailings
from crm_notify.notifications.rules import Kind, Notice
from crm_notify.settings import Settings
from crm_notify.telling.commands import tell
from crm_notify.telling.events import mail_domain

_PAGE, _PAGE_SECONDS = 500, 30
_open = Fact("crm_mailings", "Mailings under way (work; max)", ["status"])
log = get_logger(__name__)


def collect(runtime: Runtime) -> bool:
    """One page of one mailing. Returns True when another may be due."""
    settings = cast("Settings", runtime.settings)
    with runtime.database.transaction() as session:
        task = collecting.take(session, runtime.actors, now())
    if task is None:
        return False
    try:
        page = list_recipients(runtime, task.actor_id, task.request(_PAGE), _PAGE_SECONDS)
    except (Unavailable, TooManyRequests) as away:
        log.warning("recipients_wait", mailing_id=str(task.mailing_id), code=away.code)
        with runtime.database.transaction() as session:
            collecting.postpone(session, task, now())
    except Refusal as refusal:
        log.warning("recipients_refused", mailing_id=str(task.mailing_id), code=refusal.code)
        code = "sender_may_no_more" if isinstance(refusal, Forbidden) else refusal.code
        with runtime.database.transaction() as session:
            collecting.give_up(session, task, code, now())
    else:
        with runtime.database.transaction() as session:
            collecting.store(session, task, page, settings.mailing_recipients_per_day, settings.mail_domain, now())
    return True


def finish(runtime: Runtime) -> bool:
    """One mailing of which everything has an end; its sender hears of it."""
    with runtime.database.transaction() as session:
        found = finish_one(session, now())
        if found is None:
            return False
        mailing, counts = found
        notice = Notice(
            source_event_id=mailing.id,
            member_id=mailing.actor_id,
            kind=Kind.MAILING_FINISHED,
            parameters={"subject": mailing.subject or mailing.body[:50], **counts},
            subject_type=SUBJECT,
            subject_id=mailing.id,
        )
        tell(session, [notice], mail_domain(runtime))
    return True


def forget(runtime: Runtime) -> bool:
    """The addresses of one mailing, 180 days after its end (design rule 10)."""
    with runtime.database.transaction() as session:
        return forget_one(session, now())


def measure_mailings(session: Session) -> None:
    """Count what is being collected and sent."""
    _open.set_all({(status,): count for status, count in open_mailings(session).items()})


COLLECT_RECIPIENTS = DueTask("collect-recipients", 1, collect)
FINISH_MAILINGS = DueTask("finish-mailings", 5, finish)
FORGET_MAILINGS = DueTask("forget-mailings", 600, forget)
MEASURE_MAILINGS = measuring("mailings", measure_mailings)
