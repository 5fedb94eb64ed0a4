"""Sending oneself a sample of what can be told."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.identifiers import new_id
from crm_notify.explaining.rules import sample_parameters
from crm_notify.explaining.texts import texts
from crm_notify.notifications.model import Notification
from crm_notify.notifications.rules import Kind, Notice
from crm_notify.telling.commands import tell


def send_sample(
    session: Session, member_id: UUID, kind: Kind, language: str, mail_domain: str | None, now: datetime
) -> Notification:
    """Tell a member of something that did not happen, marked as such, as their preferences have it."""
    parameters = sample_parameters(kind, member_id, now, texts(language)["samples"])
    event_id = new_id()
    notice = Notice(event_id, member_id, kind, parameters | {"sample_language": language})
    tell(session, [notice], mail_domain)
    return session.scalars(select(Notification).where(Notification.source_event_id == event_id)).one()
