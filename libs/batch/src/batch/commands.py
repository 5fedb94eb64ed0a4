"""Starting and cancelling a batch."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import insert, text, update
from sqlalchemy.orm import Session

from batch.model import Batch, Status
from batch.queries import find_batch
from batch.tables import batches
from chassis.audit import AuditEntry, record_audit
from chassis.errors import Conflict, Invalid
from chassis.identifiers import new_id

MAX_ITEMS = 20_000

_FREEZE = text(
    "INSERT INTO batch_items (batch_id, position, item_id)"
    " SELECT :batch_id, row_number() OVER (ORDER BY min(place)), item_id"
    " FROM unnest(CAST(:item_ids AS uuid[])) WITH ORDINALITY AS given (item_id, place)"
    " GROUP BY item_id RETURNING 1"
)


def start_batch(
    session: Session,
    kind: str,
    actor_id: UUID,
    item_ids: Sequence[UUID],
    parameters: Mapping[str, Any] | None = None,
    most: int | None = MAX_ITEMS,
) -> Batch:
    """Freeze `item_ids`, each once and in their order, as a batch to be worked after this transaction.

    `kind` names the BatchWork that does it. Raises Invalid batch_too_large for more than `most` ids; None: what undoes
    something takes as many as that took.
    """
    if most is not None and len(item_ids) > most:
        raise Invalid("batch_too_large", limit=most, count=len(item_ids))
    batch_id = new_id()
    values = {
        "id": batch_id,
        "kind": kind,
        "actor_id": actor_id,
        "parameters": dict(parameters or {}),
        "status": Status.RUNNING,
        "total": len(set(item_ids)),
    }
    session.execute(insert(batches).values(values))
    session.execute(_FREEZE, {"batch_id": batch_id, "item_ids": list(item_ids)})
    return find_batch(session, batch_id)


def cancel_batch(session: Session, batch_id: UUID, actor_id: UUID) -> Batch:
    """Let no further item be worked; those not yet worked are skipped with batch_cancelled, what is done stays done.

    Cancelling twice is the same as once. Raises NotFound, Conflict batch_over when nothing is left to cancel.
    """
    found = find_batch(session, batch_id, lock=True)
    if found.status.is_over:
        raise Conflict("batch_over")
    if found.status is not Status.CANCELLING:
        session.execute(update(batches).where(batches.c.id == batch_id).values(status=Status.CANCELLING))
        record_audit(session, AuditEntry("batch.cancelled", "batch", batch_id, actor_id, None, {"kind": found.kind}))
    return find_batch(session, batch_id)
