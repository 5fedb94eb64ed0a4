"""What becomes of mailings by themselves: recipients are collected, ends noticed, and personal data forgotten."""

from typing import cast

from sqlalchemy import text

from chassis.clock import now
from chassis.database import try_lock
from chassis.due import DueTask
from chassis.errors import Forbidden, Refusal, TooManyRequests, Unavailable
from chassis.logs import get_logger
from chassis.runtime import Runtime
from crm_notify.customers.clients import list_recipients
from crm_notify.mailings import collecting
from crm_notify.mailings.commands import SUBJECT, finish_one
from crm_notify.notifications.rules import Kind, Notice
from crm_notify.settings import Settings
from crm_notify.telling.commands import tell
from crm_notify.telling.events import mail_domain

_PAGE, _PAGE_SECONDS = 500, 30
# Addresses and tokens of what ended 180 days ago; the names stay, as those of customers do.
_BLANK = text("""
    UPDATE mailing_recipients SET address = '', contact_name = '', unsubscribe_token = NULL WHERE id IN (
        SELECT recipient.id FROM mailing_recipients recipient JOIN mailings ON mailings.id = recipient.mailing_id
        WHERE mailings.finished_at < now() - interval '180 days'
          AND (recipient.address <> '' OR recipient.unsubscribe_token IS NOT NULL)
        LIMIT 5000
    ) RETURNING 1
""")
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
    """Addresses, 180 days after the end (design rule 10)."""
    with runtime.database.transaction() as session:
        return try_lock(session, "forget-mailings") and len(session.execute(_BLANK).all()) == 5000


COLLECT_RECIPIENTS = DueTask("collect-recipients", 1, collect)
FINISH_MAILINGS = DueTask("finish-mailings", 5, finish)
FORGET_MAILINGS = DueTask("forget-mailings", 600, forget)
