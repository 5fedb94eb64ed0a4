"""Who hears of a message, and what a notification quotes of it."""

from collections.abc import Sequence
from uuid import UUID

MOST_RECEIVERS, LONGEST_TEXT = 50, 5000
_LONGEST_EXCERPT = 100


def answered(sender_id: UUID, receiver_ids: Sequence[UUID], actor_id: UUID, everybody: bool) -> list[UUID]:
    """Whom an answer to a message goes to (J-11): its sender, or everybody it concerns. Whoever goes on writing to one's
    own message writes to its receivers.
    """
    wanted = [sender_id, *receiver_ids] if everybody or sender_id == actor_id else [sender_id]
    return [id_ for id_ in dict.fromkeys(wanted) if id_ != actor_id]


def excerpt(text: str) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_EXCERPT else f"{line[: _LONGEST_EXCERPT - 1]}…"
