"""What a pool is and what its settings may be. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from uuid import UUID


class PoolKind(StrEnum):
    """The kinds of S2: 公海, 潜在客户池 and 待分配客户池."""

    PUBLIC = "public"
    PROSPECT = "prospect"
    TO_BE_ASSIGNED = "to_be_assigned"

    @property
    def claimable(self) -> bool:
        """Whether members may claim from it: prospects are confirmed first, the others assigned (C-09, C-10, C-14)."""
        return self is PoolKind.PUBLIC


# Every organisation has these from birth; they can be renamed and closed, never deleted.
DEFAULT_POOLS = {PoolKind.PUBLIC: "公海客户池", PoolKind.TO_BE_ASSIGNED: "待分配客户池"}
# Masked before the claim unless the pool says otherwise (design §2.6).
HIDDEN_BY_DEFAULT = (
    "contact.mobile",
    "contact.phone",
    "contact.email",
    "contact.qq",
    "profile.email",
    "profile.non_primary_emails",
    "profile.phone_office",
    "profile.phone_alternate",
    "profile.fax",
)
MAX_LISTED = 500
MAX_HIDDEN_FIELDS = 50


def leads_back(pool_id: UUID, cascades: Mapping[UUID, UUID | None]) -> bool:
    """Whether customers that nobody claims would come back to the pool they started from; per pool where it cascades to."""
    seen, at = {pool_id}, cascades.get(pool_id)
    while at is not None and at not in seen:
        seen.add(at)
        at = cascades.get(at)
    return at is not None
