"""Dead letters: listed and replayed by `python -m crm_<service> dead-letters list|replay`."""

from collections.abc import Sequence
from dataclasses import dataclass

from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from chassis.database import Database
from chassis.events.consumer import Subscription, apply_events, decode
from chassis.events.streams import DEAD_LETTER_STREAM, dead_letter_subject


@dataclass(frozen=True)
class DeadLetter:
    """An event that a durable could not apply. `sequence` is its place in the dead letter stream."""

    sequence: int
    durable: str
    subject: str
    reason: str
    headers: dict[str, str]
    data: bytes


async def list_dead_letters(js: JetStreamContext, durable: str) -> Sequence[DeadLetter]:
    """The dead letters of one durable, oldest first."""
    found: list[DeadLetter] = []
    subject, after = dead_letter_subject(durable), 0
    while True:
        try:
            message = await js.get_msg(DEAD_LETTER_STREAM, seq=after + 1, subject=subject, next=True)
        except NotFoundError:
            return found
        headers = dict(message.headers or {})
        after = message.seq or 0
        found.append(
            DeadLetter(
                after,
                durable,
                headers.get("crm-subject", ""),
                headers.get("crm-reason", ""),
                headers,
                message.data or b"",
            )
        )


async def replay(js: JetStreamContext, database: Database, subscription: Subscription, letter: DeadLetter) -> None:
    """Apply a dead letter now and delete it. Raises whatever applying raises; then it stays."""
    event = decode(letter.subject, letter.headers, letter.data, subscription.types())
    apply_events(database, subscription, [event])
    await js.delete_msg(DEAD_LETTER_STREAM, letter.sequence)
