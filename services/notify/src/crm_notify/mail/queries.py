"""Reading the ledger, and what the mails of taken deliveries need."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from chassis.wording import language_of
from crm_notify.mail.commands import Taken
from crm_notify.mail.model import Delivery, Status
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


def deliveries(
    session: Session, member_id: UUID | None, status: Status | None, page: int, page_size: int
) -> tuple[Sequence[Delivery], int]:
    """One page of the ledger, newest first, and how many there are; of one member or, with None, of all."""
    wanted: list[ColumnElement[bool]] = []
    if member_id is not None:
        wanted.append(Delivery.member_id == member_id)
    if status is not None:
        wanted.append(Delivery.status == status)
    total = session.scalar(select(func.count()).select_from(Delivery).where(*wanted)) or 0
    rows = session.scalars(
        select(Delivery).where(*wanted).order_by(Delivery.id.desc()).limit(page_size).offset((page - 1) * page_size)
    )
    return rows.all(), total


def unsent(session: Session) -> Mapping[Status, int]:
    """How many deliveries have each status but `sent`, which most have: they are not counted."""
    wanted = [status for status in Status if status is not Status.SENT]
    rows = session.execute(
        select(Delivery.status, func.count()).where(Delivery.status.in_(wanted)).group_by(Delivery.status)
    )
    counted = {row[0]: row[1] for row in rows}
    return {status: counted.get(status, 0) for status in wanted}
