"""Telling the members whom a set of pool's facts concerns."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from crm_notify.assignments.rules import merged
from crm_notify.mail.commands import queue_mails
from crm_notify.mail.rules import MailChannel
from crm_notify.notifications.commands import notify
from crm_notify.notifications.queries import stand_ins
from crm_notify.notifications.rules import Notice


def tell(session: Session, notices: Sequence[Notice], channel: MailChannel | None) -> None:
    """Store notices and queue their mails. Without a mail channel what was meant for e-mail is told in the app."""
    if channel is None:
        notices = [replace(notice, in_app=True, email=False) for notice in notices]
    instead = stand_ins(session, {notice.member_id for notice in notices})
    new = notify(session, merged(notices, instead))
    if channel is not None:
        queue_mails(session, new, channel)
