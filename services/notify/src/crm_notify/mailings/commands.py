"""What is done to mailings. Each function runs in the transaction its edge has opened."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.database import lock
from chassis.days import day_after, day_of, start_of
from chassis.errors import Conflict, FieldError, Invalid, TooManyRequests
from chassis.identifiers import new_id
from crm.common.v1.selection_pb2 import Selection
from crm_notify.deliveries.model import Delivery
from crm_notify.deliveries.rules import Channel
from crm_notify.deliveries.rules import Status as DeliveryStatus
from crm_notify.mailings.model import Mailing, MailingRecipient
from crm_notify.mailings.queries import counts_of, unused_attachments, used_since
from crm_notify.mailings.rules import KEPT, MIB, MOST_BYTES, Status
from crm_notify.message_templates.rules import Wording
from directory.scope import zone_of

SUBJECT = "mailing"
_UNSENT = (DeliveryStatus.QUEUED, DeliveryStatus.SENDING)


def write(
    session: Session,
    actor_id: UUID,
    channel: Channel,
    wording: Wording,
    template_id: UUID | None,
    selection: Selection,
    scope: Mapping[str, Any],
    attachment_ids: Sequence[UUID],
    total: int,
    budget: int,
    now: datetime,
) -> Mailing:
    """Freeze a mailing; workers collect its recipients (J-02 to J-05). `total`: how many customers there are about, 0
    unknown; `budget`: recipients a day. Raises Invalid, TooManyRequests.
    """
    lock(session, f"mailings {actor_id}")
    _require_budget(session, actor_id, channel, total, budget, now)
    mailing = Mailing(
        id=new_id(),
        actor_id=actor_id,
        channel=channel,
        subject=wording.subject,
        body=wording.html or wording.text,
        template_id=template_id,
        selection=selection.SerializeToString(deterministic=True),
        scope=dict(scope),
        status=Status.COLLECTING,
        cursor="",
        total=total,
        attempts=0,
        next_attempt_at=now,
        created_at=now,
    )
    session.add(mailing)
    session.flush()
    _attach(session, mailing, attachment_ids, now)
    after = {"channel": channel, "subject": mailing.subject, "scope": mailing.scope, "total": total}
    record_audit(session, AuditEntry("mailing.written", SUBJECT, mailing.id, actor_id, None, after))
    return mailing


def cancel(session: Session, mailing: Mailing, actor_id: UUID, now: datetime) -> Mailing:
    """Send nothing more of it that has not begun; again changes nothing. Raises Conflict when it has ended."""
    if mailing.status == Status.CANCELLED:
        return mailing
    if not mailing.open:
        raise Conflict("mailing_ended")
    before = {"status": mailing.status}
    stop(session, mailing, Status.CANCELLED, now)
    after = {"status": mailing.status}
    record_audit(session, AuditEntry("mailing.cancelled", SUBJECT, mailing.id, actor_id, before, after))
    return mailing


def stop(session: Session, mailing: Mailing, status: Status, now: datetime, error_code: str | None = None) -> None:
    """End a mailing before its time: what has not begun is suppressed."""
    mailing.end(status, now, error_code)
    of = select(MailingRecipient.id).where(MailingRecipient.mailing_id == mailing.id)
    session.execute(
        update(Delivery)
        .where(Delivery.recipient_id.in_(of), Delivery.status == DeliveryStatus.QUEUED)
        .values(status=DeliveryStatus.SUPPRESSED, last_error_code=error_code or "cancelled")
        .execution_options(synchronize_session=False)
    )


def finish_one(session: Session, now: datetime) -> tuple[Mailing, Mapping[str, int]] | None:
    """A mailing of which nothing is open any more, finished by this call, with how many were `sent`, `unsent` and
    `skipped`; None: there is none.
    """
    of = exists().where(
        MailingRecipient.mailing_id == Mailing.id,
        Delivery.recipient_id == MailingRecipient.id,
        Delivery.status.in_(_UNSENT),
    )
    done = select(Mailing).where(Mailing.status == Status.SENDING, ~of).order_by(Mailing.id).limit(1)
    mailing = session.scalar(done.with_for_update(skip_locked=True))
    if mailing is None:
        return None
    mailing.end(Status.FINISHED, now)
    delivered, skipped = counts_of(session, mailing.id)
    sent = delivered.get(DeliveryStatus.SENT, 0)
    counts = {"sent": sent, "unsent": sum(delivered.values()) - sent, "skipped": sum(skipped.values())}
    return mailing, counts


def forget_one(session: Session, now: datetime) -> bool:
    """Blank what is personal in a mailing that ended long ago: addresses, contacts' names and the links of its mails."""
    old = (Mailing.forgotten_at.is_(None), Mailing.finished_at < now - KEPT)
    due = select(Mailing).where(*old).order_by(Mailing.finished_at).limit(1)
    mailing = session.scalar(due.with_for_update(skip_locked=True))
    if mailing is None:
        return False
    session.execute(
        update(MailingRecipient)
        .where(MailingRecipient.mailing_id == mailing.id)
        .values(address="", contact_name="", unsubscribe_token=None)
        .execution_options(synchronize_session=False)
    )
    mailing.forgotten_at = now
    return True


def _require_budget(session: Session, actor_id: UUID, channel: Channel, total: int, budget: int, now: datetime) -> None:
    zone = zone_of(session)
    today = day_of(now, zone)
    used = used_since(session, actor_id, channel, start_of(today, zone))
    if used + max(total, 1) > budget:
        wait = (start_of(day_after(today), zone) - now).total_seconds()
        left = max(0, budget - used)
        raise TooManyRequests("mailing_budget_used", retry_after_seconds=wait, budget=budget, left=left)


def _attach(session: Session, mailing: Mailing, ids: Sequence[UUID], now: datetime) -> None:
    if not ids:
        return
    files = unused_attachments(session, mailing.actor_id, ids, now)
    if mailing.channel != Channel.EMAIL:
        raise _refused("sms_without_attachments")
    if sum(file.bytes for file in files) > MOST_BYTES:
        raise _refused("attachments_too_large", mebibytes=MOST_BYTES // MIB)
    for file in files:
        file.mailing_id = mailing.id


def _refused(code: str, **parameters: Any) -> Invalid:
    return Invalid(code, errors=[FieldError("/attachment_ids", code, parameters)], **parameters)
