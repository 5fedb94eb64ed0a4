"""How many more customers somebody may be given. Pure."""

from collections.abc import Mapping
from uuid import UUID

MOST = 1_000_000


class Room:
    """What members may still be given under their holding caps (C-38); counts down as they are."""

    def __init__(self, left: Mapping[UUID, int], *, counts_won: bool = True) -> None:
        """`left`: per member with a cap how many more; whoever is not in it has none. `counts_won`: won customers count."""
        self._left = dict(left)
        self._counts_won = counts_won

    def left(self, member_id: UUID) -> int | None:
        """How many more the member may own, below 0 when they own too many; None: no cap."""
        return self._left.get(member_id)

    def fits(self, member_id: UUID, *, won: bool = False) -> bool:
        """Whether the member may be given one more customer, which is `won` or not."""
        return not self._counts(won) or self._left.get(member_id, 1) > 0

    def take(self, member_id: UUID, former_owner: UUID | None = None, *, won: bool = False) -> None:
        """Count one customer given to the member; `former_owner` has room for one more then."""
        if self._counts(won):
            self.fill(member_id, 1)
            if former_owner is not None:
                self.fill(former_owner, -1)

    def fill(self, member_id: UUID, customers: int) -> None:
        """Count customers that come to the member anyway."""
        if member_id in self._left:
            self._left[member_id] -= customers

    def _counts(self, won: bool) -> bool:
        return self._counts_won or not won
