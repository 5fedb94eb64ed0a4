"""The outbox: facts written in the transaction that made them true; the relay publishes them (R-17)."""

from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

from google.protobuf.message import Message
from sqlalchemy import Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from chassis import metrics
from chassis.clock import now
from chassis.events.streams import subject_of
from chassis.identifiers import new_id
from chassis.tracing import carried

_Item = TypeVar("_Item")
CHANNEL = "outbox"
MAX_PAYLOAD_BYTES = 512 * 1024
# The relay is woken once the transaction commits.
_ADD = text("""
    WITH added AS (
        INSERT INTO outbox (event_id, subject, headers, payload) VALUES (:event_id, :subject, :headers, :payload)
    )
    SELECT pg_notify(:channel, '')
""").bindparams(bindparam("channel", CHANNEL), bindparam("event_id", type_=Uuid), bindparam("headers", type_=JSONB))


def record_event(session: Session, *messages: Message, subject: str | None = None) -> list[UUID]:
    """Add facts to the outbox; call it after the aggregate's row is locked. Returns the event ids.

    `subject` overrides the one derived from the message's name (work queues). Raises ValueError for a
    payload above 512 KiB: split batches into several events.
    """
    rows = [_row(message, subject or subject_of(type(message))) for message in messages]
    if rows:
        session.execute(_ADD, rows)
    return [row["event_id"] for row in rows]  # type: ignore[misc]


def _row(message: Message, subject: str) -> dict[str, object]:
    payload = message.SerializeToString(deterministic=True)
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"{subject}: {len(payload)} bytes exceed {MAX_PAYLOAD_BYTES}; publish the batch in parts")
    event_id = new_id()
    headers = {
        "ce-specversion": "1.0",
        "ce-id": str(event_id),
        "ce-type": message.DESCRIPTOR.full_name,
        "ce-source": "/" + "/".join(subject.split(".")[:2]),
        "ce-time": now().isoformat(),
        "content-type": "application/protobuf",
        **carried(),
    }
    return {"event_id": event_id, "subject": subject, "headers": headers, "payload": payload}


def chunks(items: Sequence[_Item], size: int = 1000) -> list[Sequence[_Item]]:
    """`items` in runs of at most `size`: one outbox row each (design §5, batches travel as batches)."""
    return [items[start : start + size] for start in range(0, len(items), size)]


_UNPUBLISHED = text(
    "SELECT count(*) AS pending, coalesce(extract(epoch FROM now() - min(created_at)), 0) AS age"
    " FROM outbox WHERE published_at IS NULL"
)


def measure_outbox(session: Session) -> None:
    """Set how much waits to be published, and for how long."""
    row = session.execute(_UNPUBLISHED).one()
    metrics.outbox_pending.set(row.pending)
    metrics.outbox_oldest_age.set(float(row.age))
