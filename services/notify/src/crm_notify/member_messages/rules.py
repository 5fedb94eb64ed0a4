"""Who hears of a message."""

from collections.abc import Sequence
from uuid import UUID

MOST_RECEIVERS, LONGEST_TEXT = 50, 5000


def answered(sender_id: UUID, receiver_ids: Sequence[UUID], actor_id: UUID, everybody: bool) -> list[UUID]:
    """Whom an answer to a message goes to (J-11): its sender, or everybody it concerns. Whoever goes on writing to one's
    own message writes to its receivers.
    """
    wanted = [sender_id, *receiver_ids] if everybody or sender_id == actor_id else [sender_id]
    return [id_ for id_ in dict.fromkeys(wanted) if id_ != actor_id]
