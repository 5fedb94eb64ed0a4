"""Suppressing addresses, and lifting that."""

from uuid import UUID

from sqlalchemy import Boolean, delete, literal_column
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.errors import NotFound
from chassis.identifiers import new_id
from crm_notify.deliveries.rules import Channel
from crm_notify.suppressions.model import Suppression
from crm_notify.suppressions.rules import Reason, normalised


def suppress(
    session: Session, channel: Channel, address: str, reason: Reason, *, note: str = "", actor_id: UUID | None = None
) -> Suppression:
    """Send nothing more to an address; again for the same reason changes nothing. The audit holds no address."""
    values = {"channel": channel, "address": normalised(address), "reason": reason, "note": note}
    wanted = insert(Suppression).values(id=new_id(), created_by=actor_id, **values)
    # Changing nothing, so that the row is answered, and locked, if it is there already.
    same = wanted.on_conflict_do_update(
        index_elements=["channel", "address", "reason"], set_={"reason": wanted.excluded.reason}
    )
    row, new = session.execute(same.returning(Suppression, literal_column("xmax = 0", Boolean))).one()
    if new:
        after = {"channel": channel.value, "reason": reason.value, "note": note}
        record_audit(session, AuditEntry("suppression.added", "suppression", row.id, actor_id, None, after))
    found: Suppression = row
    return found


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
