"""What is to be known of deliveries before they are sent again."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm_notify.deliveries.model import Delivery
from crm_notify.deliveries.rules import Channel, Status
from crm_notify.mailings import rules as mailings
from crm_notify.mailings.model import Mailing, MailingRecipient
from crm_notify.resending.rules import Candidate
from crm_notify.suppressions.queries import reasons_of
from directory.tables import members

# Their mails are written no more.
_STOPPED = (mailings.Status.CANCELLED, mailings.Status.FAILED)


def candidates(session: Session, ids: Collection[UUID]) -> Mapping[UUID, Candidate]:
    """Those of these deliveries that exist."""
    address = func.coalesce(MailingRecipient.address, members.c.email, "").label("address")
    rows = session.execute(
        select(Delivery.id, Delivery.channel, Delivery.status, Delivery.member_id, Mailing.actor_id)
        .add_columns(Mailing.status.label("mailing_status"), address)
        .outerjoin(MailingRecipient, MailingRecipient.id == Delivery.recipient_id)
        .outerjoin(Mailing, Mailing.id == MailingRecipient.mailing_id)
        .outerjoin(members, members.c.id == Delivery.member_id)
        .where(Delivery.id.in_(ids))
    ).all()
    by_mail = {row.address for row in rows if row.channel == Channel.EMAIL and row.address}
    reasons = reasons_of(session, Channel.EMAIL, by_mail)
    return {row.id: _candidate(row, reasons) for row in rows}


def _candidate(row: Any, reasons: Mapping[str, Collection[str]]) -> Candidate:
    suppressed = reasons.get(row.address, ()) if row.channel == Channel.EMAIL else ()
    stopped = row.mailing_status in _STOPPED
    return Candidate(Status(row.status), row.member_id, row.actor_id, stopped, suppressed)
