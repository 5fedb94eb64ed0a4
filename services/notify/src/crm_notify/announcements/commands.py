"""Announcing (公告) to thousands, step by step, and taking it back."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.errors import NotFound, invalid
from chassis.identifiers import new_id
from crm_notify.announcements import queries
from crm_notify.announcements.model import Announcement
from crm_notify.announcements.rules import TAKEN_BACK, UNDER_WAY, Status
from crm_notify.notifications.model import Notification
from crm_notify.notifications.rules import Kind, Notice
from crm_notify.telling.commands import tell
from crm_notify.withdrawing.commands import withdraw
from crm_notify.withdrawing.rules import excerpt
from directory.tables import members

STEP = 5000


def publish(
    session: Session, actor_id: UUID, title: str, text: str, lists: Mapping[str, Sequence[UUID]]
) -> Announcement:
    """Announce to whoever is in one of the lists, to everybody without any; a worker tells them. Raises Invalid not_in_directory."""
    if errors := queries.unknown(session, lists):
        raise invalid(*errors)
    title = " ".join(title.split())
    announcement = Announcement(
        id=new_id(),
        title=title,
        text=text,
        audience={name: [str(id_) for id_ in ids] for name, ids in lists.items()},
        status=Status.TELLING,
        receivers=queries.count(session, lists, actor_id),
        created_by=actor_id,
    )
    session.add(announcement)
    session.flush()
    after = {"title": title, "audience": announcement.audience, "receivers": announcement.receivers}
    record_audit(session, AuditEntry("announcement.published", "announcement", announcement.id, actor_id, after=after))
    return announcement


def withdraw_announcement(session: Session, actor_id: UUID, announcement_id: UUID, now: datetime) -> Announcement:
    """Take an announcement back; a worker clears the inboxes. Again changes nothing. Raises NotFound."""
    found = session.get(Announcement, announcement_id, with_for_update=True)
    if found is None:
        raise NotFound("not_found")
    if found.status not in TAKEN_BACK:
        found.status, found.told_to, found.withdrawn_at = Status.WITHDRAWING, None, now
        session.flush()
        after = {"withdrawn_at": now}
        record_audit(session, AuditEntry("announcement.withdrawn", "announcement", found.id, actor_id, after=after))
    return found


def step(session: Session, mail_domain: str | None) -> bool:
    """Go on with the oldest announcement that is under way, with up to 5,000 members. False: there is nothing to do.

    Each step is one transaction that moves `told_to`: whoever goes on after a process that died repeats nothing.
    """
    found = session.scalar(
        select(Announcement)
        .where(Announcement.status.in_(UNDER_WAY))
        .order_by(Announcement.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if found is None:
        return False
    telling = found.status == Status.TELLING
    ids = _tell(session, found, mail_domain) if telling else _take_back(session, found)
    if len(ids) == STEP:
        found.told_to = ids[-1]
    else:
        found.status = Status.TOLD if telling else Status.WITHDRAWN
    return True


def _tell(session: Session, found: Announcement, mail_domain: str | None) -> Sequence[UUID]:
    wanted = queries.receivers(found.audience, found.created_by).order_by(members.c.id).limit(STEP)
    if found.told_to is not None:
        wanted = wanted.where(members.c.id > found.told_to)
    ids = session.scalars(wanted).all()
    # One object for all: shared values of a set travel once.
    quoted = {"actor_id": str(found.created_by), "title": found.title, "excerpt": excerpt(found.text)}
    notices = [
        Notice(
            source_event_id=found.id,
            member_id=id_,
            kind=Kind.ANNOUNCEMENT,
            parameters=quoted,
            subject_type="announcement",
            subject_id=found.id,
        )
        for id_ in ids
    ]
    tell(session, notices, mail_domain)
    return ids


def _take_back(session: Session, found: Announcement) -> Sequence[UUID]:
    told = select(Notification.member_id).where(
        Notification.source_event_id == found.id, Notification.kind == Kind.ANNOUNCEMENT
    )
    if found.told_to is not None:
        told = told.where(Notification.member_id > found.told_to)
    ids = session.scalars(told.order_by(Notification.member_id).limit(STEP)).all()
    withdraw(session, found.id, ids)
    return ids
