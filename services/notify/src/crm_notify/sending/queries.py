"""What the mails of taken deliveries need."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.wording import language_of
from crm_notify.deliveries.commands import Taken
from crm_notify.deliveries.model import Delivery
from crm_notify.notifications.model import Notification
from crm_notify.notifications.queries import names_of
from crm_notify.notifications.texts import Words, named_members, words
from directory.tables import members


@dataclass(frozen=True)
class Receiver:
    """Who gets a mail and what it says. `address` is empty when the directory has none or its member has left."""

    name: str
    address: str
    language: str
    words: Words


def receivers(session: Session, taken: Sequence[Taken]) -> Mapping[UUID, Receiver]:
    """By delivery id: address and language as the directory knows them at this moment."""
    rows = session.execute(
        select(Delivery.id, Notification.kind, Notification.parameters, members)
        .join(Notification, Notification.id == Delivery.notification_id)
        .join(members, members.c.id == Delivery.member_id)
        .where(Delivery.id.in_([one.id for one in taken]))
    ).all()
    ids: set[UUID] = set().union(*(named_members(row.parameters) for row in rows))
    names = names_of(session, ids)
    return {row[0]: _receiver(row, names) for row in rows}


def _receiver(row: Any, names: Mapping[UUID, str]) -> Receiver:
    language = language_of(row.language)
    made = words(row.kind, row.parameters, names, language)
    return Receiver(row.name, row.email if row.active else "", language, made)
