"""What the letters of taken deliveries need."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.wording import language_of
from crm_notify.deliveries.leasing import Message, Taken
from crm_notify.deliveries.model import Delivery
from crm_notify.notifications.links import path_of
from crm_notify.notifications.model import Notification
from crm_notify.notifications.queries import names_of
from crm_notify.notifications.texts import named_members, words
from crm_notify.sending.rules import Notified
from directory.tables import members


@dataclass(frozen=True)
class Receiver:
    """Who gets a mail. `address` is empty when the directory has none or its member has left; `notified` makes the words of
    what it tells, oldest first.
    """

    name: str
    address: str
    language: str
    notified: Callable[[], Sequence[Notified]]


def receivers(session: Session, messages: Sequence[Message]) -> Mapping[UUID, Receiver]:
    """By the id of a message's first delivery: address, language and words as they are at this moment."""
    found = _rows(session, [one for message in messages for one in message])
    names = names_of(session, set().union(*(named_members(row.parameters) for row in found.values())))
    rows = {message[0].id: [found[one.id] for one in message if one.id in found] for message in messages}
    return {id_: _receiver(some, names) for id_, some in rows.items() if some}


def _rows(session: Session, taken: Sequence[Taken]) -> Mapping[UUID, Any]:
    told = (
        Notification.kind,
        Notification.parameters,
        Notification.subject_type,
        Notification.subject_id,
        Notification.occurred_at,
    )
    rows = session.execute(
        select(Delivery.id.label("delivery_id"), *told, members.c.name, members.c.email, members.c.active)
        .add_columns(members.c.language)
        .join(Notification, Notification.id == Delivery.notification_id)
        .join(members, members.c.id == Delivery.member_id)
        .where(Delivery.id.in_([one.id for one in taken]))
    )
    return {row.delivery_id: row for row in rows}


def _receiver(rows: Sequence[Any], names: Mapping[UUID, str]) -> Receiver:
    first, language = rows[0], language_of(rows[0].language)
    oldest_first = sorted(rows, key=lambda row: row.occurred_at)

    def notified() -> Sequence[Notified]:
        return [_notified(row, names, language) for row in oldest_first]

    return Receiver(first.name, first.email if first.active else "", language, notified)


def _notified(row: Any, names: Mapping[UUID, str], language: str) -> Notified:
    made = words(row.kind, row.parameters, names, language)
    return Notified(row.kind, made, path_of(row.subject_type, row.subject_id), row.occurred_at)
