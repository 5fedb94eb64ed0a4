"""Suppressing addresses, and lifting that."""

from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.errors import NotFound
from chassis.identifiers import new_id
from crm_notify.deliveries.rules import Channel
from crm_notify.suppressions.model import Suppression
from crm_notify.suppressions.queries import suppression
from crm_notify.suppressions.rules import Reason, normalised


def suppress(
    session: Session, channel: Channel, address: str, reason: Reason, *, note: str = "", actor_id: UUID | None = None
) -> Suppression:
    """Send nothing more to an address; again for the same reason changes nothing. The audit holds no address."""
    spelt = normalised(address)
    values = {"channel": channel, "address": spelt, "reason": reason, "note": note, "created_by": actor_id}
    new = session.scalar(
        insert(Suppression).values(id=new_id(), **values).on_conflict_do_nothing().returning(Suppression.id)
    )
    if new is not None:
        after = {"channel": channel.value, "reason": reason.value, "note": note}
        record_audit(session, AuditEntry("suppression.added", "suppression", new, actor_id, None, after))
    return suppression(session, channel, spelt, reason)


def lift(session: Session, suppression_id: UUID, actor_id: UUID) -> None:
    """Send to the address again. Raises NotFound."""
    gone = session.execute(
        delete(Suppression)
        .where(Suppression.id == suppression_id)
        .returning(Suppression.channel, Suppression.reason, Suppression.note)
    ).one_or_none()
    if gone is None:
        raise NotFound("not_found")
    entry = AuditEntry("suppression.lifted", "suppression", suppression_id, actor_id, gone._asdict(), None)
    record_audit(session, entry)
