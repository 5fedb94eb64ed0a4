"""Who owned a customer before, read out of its history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm_pool.assignments.records import HistoryEntry

# More hands than anybody reads; older ones are left out.
_MOST_CHANGES = 200


@dataclass(frozen=True)
class Holding:
    """A time for which `owner_id` held the customer; `lost` ended it. `since` None: before what is read here."""

    owner_id: UUID
    since: datetime | None
    lost: HistoryEntry


def past_holdings(session: Session, customer_id: UUID) -> list[Holding]:
    """Every time of holding that is over, newest first."""
    changes = (
        select(HistoryEntry)
        .where(
            HistoryEntry.customer_id == customer_id,
            HistoryEntry.from_owner_id.is_distinct_from(HistoryEntry.to_owner_id),
        )
        .order_by(HistoryEntry.version.desc())
        .limit(_MOST_CHANGES)
    )
    newest: Sequence[HistoryEntry] = session.scalars(changes).all()
    found: list[Holding] = []
    since: datetime | None = None
    for change in reversed(newest):
        if change.from_owner_id is not None:
            found.append(Holding(change.from_owner_id, since, change))
        since = change.at
    return found[::-1]


def times_in_pools(session: Session, customer_id: UUID) -> int:
    """How often the customer came into a pool, by its birth or from an owner; from pool to pool it only moves."""
    came = (
        HistoryEntry.customer_id == customer_id,
        HistoryEntry.to_pool_id.is_not(None),
        HistoryEntry.from_pool_id.is_(None),
    )
    return session.scalars(select(func.count()).select_from(HistoryEntry).where(*came)).one()
