"""What may be dispatched, and whose turn it is. Pure functions."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from chassis.errors import FieldError

MOST_CUSTOMERS = 500
MOST_HANDLERS = 50
# As long as other acts on many records can be undone (design §3).
UNDO_HOURS = 72


def in_turn(handler_ids: Sequence[UUID], position: int) -> UUID:
    """Whose the customer at `position` (from 1 on) is: handlers take turns in the order given (F-24)."""
    return handler_ids[(position - 1) % len(handler_ids)]


def wrong_handlers(handler_ids: Sequence[UUID], persons: Collection[UUID]) -> Iterator[FieldError]:
    """Which of the handlers are none to whom tasks can be given, or named twice."""
    for place, member_id in enumerate(handler_ids):
        if member_id not in persons:
            yield FieldError(f"/handler_ids/{place}", "member_inactive")
        elif member_id in handler_ids[:place]:
            yield FieldError(f"/handler_ids/{place}", "repeated_member")


def may_still_reopen(ended_at: datetime, now: datetime) -> bool:
    """Whether what was ended then can be taken back."""
    return now - ended_at <= timedelta(hours=UNDO_HOURS)
