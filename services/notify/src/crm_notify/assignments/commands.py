"""Telling the members whom a set of pool's facts concerns."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy.orm import Session

from crm.pool.v1 import pool_events_pb2 as pb
from crm_notify.assignments.rules import merged, notice_of_leaver
from crm_notify.mail.commands import queue_mails
from crm_notify.mail.rules import MailChannel
from crm_notify.notifications.commands import notify
from crm_notify.notifications.queries import administrators, managers, stand_ins
from crm_notify.notifications.rules import Notice
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


def notices_of_leaver(session: Session, event_id: UUID, fact: pb.OwnerLeft) -> list[Notice]:
    """For the leaver's manager, whether or not the directory knows here that they left; else for administrators."""
    member_id = UUID(fact.member_id)
    manager = managers(session, [member_id])[member_id]
    told = [manager] if manager else administrators(session)
    return [notice_of_leaver(event_id, fact, id_) for id_ in told if id_ != member_id]


def _tell(session: Session, notices: Sequence[Notice], channel: MailChannel | None) -> None:
    if channel is None:
        notify(session, [replace(notice, in_app=True, email=False) for notice in notices])
    else:
        queue_mails(session, notify(session, notices), channel)
