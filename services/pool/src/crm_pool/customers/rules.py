"""What protects a customer from changes of its place (decision 0021). Pure."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class Protection:
    """What customer says of one of its customers; by default nothing protects it.

    `locked` (锁定) counts while the owner is active. A `wecom_friend` (企微好友) is never taken into a pool and goes
    only to `collaborator_ids` (协助人), who see it as long as it has an owner. `won` (已成交): caps may leave it out.
    """

    locked: bool = False
    wecom_friend: bool = False
    collaborator_ids: frozenset[UUID] = frozenset()
    won: bool = False
