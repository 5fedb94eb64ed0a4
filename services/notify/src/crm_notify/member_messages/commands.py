"""Writing, reading and withdrawing messages between members (J-11, J-12)."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.errors import Conflict, FieldError, Forbidden, invalid
from chassis.identifiers import new_id
from crm_notify.member_messages import queries
from crm_notify.member_messages.model import MemberMessage
from crm_notify.member_messages.rules import answered
from crm_notify.notifications.commands import NOTIFICATIONS_CHANNEL, announce
from crm_notify.notifications.model import Notification
from crm_notify.notifications.rules import Kind, Notice
from crm_notify.telling.commands import tell
from crm_notify.withdrawing.commands import withdraw
from crm_notify.withdrawing.rules import excerpt


def send(
    session: Session,
    sender_id: UUID,
    receiver_ids: Sequence[UUID],
    text: str,
    customer: tuple[UUID, str] | None,
    mail_domain: str | None,
) -> MemberMessage:
    """Write to colleagues; `customer`: id and name of the one it is about. Raises Invalid receiver_unknown, receiver_is_oneself."""
    reachable = queries.reachable(session, receiver_ids)
    errors = [
        FieldError(f"/receiver_ids/{place}", "receiver_is_oneself" if id_ == sender_id else "receiver_unknown")
        for place, id_ in enumerate(receiver_ids)
        if id_ == sender_id or id_ not in reachable
    ]
    if errors:
        raise invalid(*errors)
    id_ = new_id()
    customer_id, customer_name = customer or (None, "")
    message = MemberMessage(
        id=id_,
        thread_id=id_,
        sender_id=sender_id,
        receiver_ids=list(dict.fromkeys(receiver_ids)),
        text=text,
        customer_id=customer_id,
        customer_name=customer_name,
    )
    return _sent(session, message, mail_domain)


def answer(
    session: Session, actor_id: UUID, message_id: UUID, text: str, everybody: bool, mail_domain: str | None
) -> MemberMessage:
    """Answer a message in its thread, about the same customer. Raises NotFound, Conflict message_withdrawn, receivers_left."""
    first = queries.message_of(session, message_id, actor_id)
    if first.withdrawn_at is not None:
        raise Conflict("message_withdrawn")
    wanted = answered(first.sender_id, first.receiver_ids, actor_id, everybody)
    reachable = queries.reachable(session, wanted)
    if not reachable:
        raise Conflict("receivers_left")
    message = MemberMessage(
        id=new_id(),
        thread_id=first.thread_id,
        sender_id=actor_id,
        receiver_ids=[id_ for id_ in wanted if id_ in reachable],
        text=text,
        customer_id=first.customer_id,
        customer_name=first.customer_name,
    )
    return _sent(session, message, mail_domain)


def _sent(session: Session, message: MemberMessage, mail_domain: str | None) -> MemberMessage:
    session.add(message)
    session.flush()
    quoted = {
        "actor_id": str(message.sender_id),
        "excerpt": excerpt(message.text),
        "customer": message.customer_name,
    }
    notices = [
        Notice(
            source_event_id=message.id,
            member_id=receiver_id,
            kind=Kind.MESSAGE_RECEIVED,
            parameters=quoted,
            subject_type="message",
            subject_id=message.id,
        )
        for receiver_id in message.receiver_ids
    ]
    tell(session, notices, mail_domain)
    return message


def confirm_reading(session: Session, actor_id: UUID, message_id: UUID, now: datetime) -> MemberMessage:
    """Let the sender know that the actor has read a message, once; one's own has nobody to tell. Raises NotFound."""
    message = queries.message_of(session, message_id, actor_id)
    told = select(Notification).where(
        Notification.source_event_id == message_id,
        Notification.member_id == actor_id,
        Notification.kind == Kind.MESSAGE_RECEIVED,
    )
    found = session.scalar(told.with_for_update())
    if found is not None and found.mark_read(now):
        session.flush()
        announce(session, NOTIFICATIONS_CHANNEL, [actor_id])
    return message


def withdraw_message(session: Session, actor_id: UUID, message_id: UUID, now: datetime) -> MemberMessage:
    """Take back one's own message; again changes nothing. Raises NotFound, Forbidden message_of_another."""
    message = queries.message_of(session, message_id, actor_id)
    session.refresh(message, with_for_update=True)
    if message.sender_id != actor_id:
        raise Forbidden("message_of_another")
    if message.withdrawn_at is None:
        message.withdrawn_at = now
        session.flush()
        withdraw(session, message.id, message.receiver_ids)
        record_audit(
            session, AuditEntry("message.withdrawn", "message", message.id, actor_id, after={"withdrawn_at": now})
        )
    return message
