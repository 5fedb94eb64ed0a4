"""What collaborators may be given, and by whom (H-05, H-09, C-20, decision 0021). Pure functions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis.errors import FieldError

MOST = 50


@dataclass(frozen=True)
class Share:
    """What a collaborator has: whether they write, and until when; None: until the customer goes to a pool."""

    can_write: bool
    until: datetime | None

    def within(self, other: "Share") -> bool:
        """Whether it is no more than `other`."""
        lasts = other.until is None or (self.until is not None and self.until <= other.until)
        return lasts and (other.can_write or not self.can_write)


def wrong(
    wanted: Sequence[tuple[UUID, Share]], persons: Mapping[UUID, object], owner_id: UUID | None, now: datetime
) -> Iterator[FieldError]:
    """What is wrong with the wanted collaborators; `persons`: those of them who are active and no service accounts."""
    ids = [member_id for member_id, _ in wanted]
    for place, (member_id, share) in enumerate(wanted):
        at = f"/collaborators/{place}"
        if member_id == owner_id:
            yield FieldError(f"{at}/member_id", "is_owner")
        elif member_id not in persons:
            yield FieldError(f"{at}/member_id", "member_inactive")
        elif member_id in ids[:place]:
            yield FieldError(f"{at}/member_id", "repeated_member")
        if share.until is not None and share.until <= now:
            yield FieldError(f"{at}/until", "not_in_future")
