"""Reading mailings, their recipients and files."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from chassis.errors import FieldError, NotFound, invalid
from crm_notify.deliveries.model import Delivery
from crm_notify.mailings.model import Mailing, MailingAttachment, MailingRecipient
from crm_notify.mailings.rules import OPEN, USABLE, Status

# Recipients by the status of their delivery, and those without one by why they were skipped.
Counts = tuple[Mapping[str, int], Mapping[str, int]]


def mailings(
    session: Session, actor_id: UUID | None, channel: str | None, status: str | None, page: int, page_size: int
) -> tuple[Sequence[Mailing], int]:
    """One page, newest first, and how many there are; of one member or, with None, of all."""
    wanted: list[ColumnElement[bool]] = []
    for column, value in ((Mailing.actor_id, actor_id), (Mailing.channel, channel), (Mailing.status, status)):
        if value is not None:
            wanted.append(column == value)
    total = session.scalar(select(func.count()).select_from(Mailing).where(*wanted)) or 0
    rows = session.scalars(
        select(Mailing).where(*wanted).order_by(Mailing.id.desc()).limit(page_size).offset((page - 1) * page_size)
    )
    return rows.all(), total


def mailing(session: Session, mailing_id: UUID, actor_id: UUID | None, *, locked: bool = False) -> Mailing:
    """A mailing of this member or, with None, of anybody. Raises NotFound."""
    found = session.get(Mailing, mailing_id, with_for_update=locked)
    if found is None or actor_id not in (None, found.actor_id):
        raise NotFound("not_found")
    return found


def open_mailings(session: Session) -> Mapping[Status, int]:
    """How many mailings are collecting and sending."""
    counted = select(Mailing.status, func.count()).where(Mailing.status.in_(OPEN)).group_by(Mailing.status)
    found = {row[0]: row[1] for row in session.execute(counted)}
    return {status: found.get(status, 0) for status in OPEN}


def counts_of(session: Session, mailing_id: UUID) -> Counts:
    """How many recipients have a delivery of each status, and how many were skipped for each reason."""
    rows = session.execute(
        select(Delivery.status, MailingRecipient.skip_code, func.count())
        .select_from(MailingRecipient)
        .outerjoin(Delivery, Delivery.recipient_id == MailingRecipient.id)
        .where(MailingRecipient.mailing_id == mailing_id)
        .group_by(Delivery.status, MailingRecipient.skip_code)
    ).all()
    delivered = {status: count for status, _, count in rows if status is not None}
    return delivered, {code: count for _, code, count in rows if code is not None}


def collected(session: Session, mailing_id: UUID) -> int:
    """How many recipients of a mailing are known."""
    counted = select(func.count()).where(MailingRecipient.mailing_id == mailing_id)
    return session.scalar(counted) or 0


def recipients(
    session: Session, mailing_id: UUID, status: str | None, skipped: bool | None, page: int, page_size: int
) -> tuple[Sequence[tuple[MailingRecipient, Delivery | None]], int]:
    """One page in the order in which they were found, each with its delivery, and how many there are."""
    wanted: list[ColumnElement[bool]] = [MailingRecipient.mailing_id == mailing_id]
    if status is not None:
        wanted.append(Delivery.status == status)
    if skipped is not None:
        wanted.append(MailingRecipient.skip_code.is_not(None) if skipped else MailingRecipient.skip_code.is_(None))

    of = Delivery.recipient_id == MailingRecipient.id
    counted = select(func.count()).select_from(MailingRecipient).outerjoin(Delivery, of).where(*wanted)
    total = session.scalar(counted) or 0
    rows = session.execute(
        select(MailingRecipient, Delivery)
        .outerjoin(Delivery, of)
        .where(*wanted)
        .order_by(MailingRecipient.id)
        .limit(page_size)
        .offset((page - 1) * page_size)
    )
    return [(row.MailingRecipient, row.Delivery) for row in rows], total


def used_since(session: Session, actor_id: UUID, channel: str, since: datetime) -> int:
    """How many recipients the member's mailings of a channel have had since then; of those being collected, will have."""
    own = (Mailing.actor_id == actor_id, Mailing.channel == channel)
    sent = (*own, Mailing.created_at >= since, Mailing.status != Status.FAILED)
    return session.scalar(select(func.coalesce(func.sum(Mailing.total), 0)).where(*sent)) or 0


def taken_addresses(session: Session, mailing_id: UUID, addresses: Collection[str]) -> set[str]:
    """Of these addresses, those that a recipient of the mailing has already."""
    same = (MailingRecipient.mailing_id == mailing_id, MailingRecipient.skip_code.is_(None))
    return set(session.scalars(select(MailingRecipient.address).where(*same, MailingRecipient.address.in_(addresses))))


def attachments_of(session: Session, mailing_id: UUID) -> Sequence[MailingAttachment]:
    """The files of a mailing, in the order of their upload."""
    of = MailingAttachment.mailing_id == mailing_id
    return session.scalars(select(MailingAttachment).where(of).order_by(MailingAttachment.id)).all()


def unused_attachments(
    session: Session, actor_id: UUID, ids: Sequence[UUID], now: datetime
) -> Sequence[MailingAttachment]:
    """The member's own files that no mailing took, locked. Raises Invalid that names the one that is none of them."""
    own = (MailingAttachment.id.in_(ids), MailingAttachment.actor_id == actor_id)
    free = (MailingAttachment.mailing_id.is_(None), MailingAttachment.created_at > now - USABLE)
    rows = session.scalars(select(MailingAttachment).where(*own, *free).with_for_update()).all()
    known = {row.id for row in rows}
    wrong = [
        FieldError(f"/attachment_ids/{place}", "unknown_attachment")
        for place, id_ in enumerate(ids)
        if id_ not in known
    ]
    if wrong:
        raise invalid(*wrong)
    return rows


def recipient_of_token(session: Session, token: str) -> tuple[MailingRecipient, Mailing]:
    """Whose link it is. Raises NotFound."""
    if not token.isprintable():  # PostgreSQL takes no NUL
        raise NotFound("not_found")
    row = session.execute(
        select(MailingRecipient, Mailing)
        .join(Mailing, Mailing.id == MailingRecipient.mailing_id)
        .where(MailingRecipient.unsubscribe_token == token)
    ).one_or_none()
    if row is None:
        raise NotFound("not_found")
    return row[0], row[1]
