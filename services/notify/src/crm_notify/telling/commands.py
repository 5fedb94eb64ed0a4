"""Telling members what happened, over the channels they want."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from crm_notify.deliveries.commands import queue_mails
from crm_notify.mail.rules import MailChannel
from crm_notify.notifications.commands import notify
from crm_notify.notifications.queries import stand_ins
from crm_notify.notifications.rules import Notice
from crm_notify.telling.rules import merged
from directory.scope import active_members


def tell(session: Session, notices: Sequence[Notice], channel: MailChannel | None) -> None:
    """Store notices and queue their mails. Without a mail channel what was meant for e-mail is told in the app.

    For members who have left their managers hear.
    """
    _tell(session, merged(notices, stand_ins(session, {notice.member_id for notice in notices})), channel)


def tell_active(session: Session, notices: Sequence[Notice], channel: MailChannel | None) -> None:
    """As `tell`, for what any of several members sees to: nobody hears in place of one who has left."""
    active = active_members(session, {notice.member_id for notice in notices})
    _tell(session, [notice for notice in notices if notice.member_id in active], channel)


def _tell(session: Session, notices: Sequence[Notice], channel: MailChannel | None) -> None:
    if channel is None:
        notify(session, [replace(notice, in_app=True, email=False) for notice in notices])
    else:
        queue_mails(session, notify(session, notices), channel.domain)
