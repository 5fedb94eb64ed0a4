"""When a run waits for a person before it takes anything (design §3, circuit breaker). Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid5

# Longer without a run, and what expired meanwhile has not been looked at by anybody.
LONGEST_PAUSE = timedelta(hours=36)
# At least so many customers, and more than one in so many.
_LEAST_OF_OWNER, _ONE_IN_OF_OWNER = 5, 5
_LEAST_OF_COMPANY, ONE_IN_OF_COMPANY = 50, 20


class Reason(StrEnum):
    """Why a run, or what it would take of some owners, is held."""

    MISSED_RUNS = "missed_runs"
    CLOCK_WENT_BACK = "clock_went_back"
    OWNER_SHARE = "owner_share"
    COMPANY_SHARE = "company_share"


@dataclass(frozen=True)
class RunsBefore:
    """When the last run began, and the last one that came to its end; None: there was none."""

    started_at: datetime | None = None
    finished_started_at: datetime | None = None


def clock_reasons(before: RunsBefore, at: datetime) -> list[Reason]:
    """Why a run that begins at `at` is held whatever it would take; the very first run is not."""
    if before.started_at is None:
        return []
    if at < before.started_at:
        return [Reason.CLOCK_WENT_BACK]
    last = before.finished_started_at
    return [Reason.MISSED_RUNS] if last is None or at - last > LONGEST_PAUSE else []


def is_too_much_of_owner(expired: int, owned: int) -> bool:
    """More than 20 % of what a member owns, and at least 5; both count what the day's run took already."""
    return expired >= _LEAST_OF_OWNER and expired * _ONE_IN_OF_OWNER > owned


def is_too_much_of_company(expired: int, owned: int) -> bool:
    """More than 5 % of all customers with owners, and at least 50; both count what the day's run took already."""
    return expired >= _LEAST_OF_COMPANY and expired * ONE_IN_OF_COMPANY > owned


def batch_of(run_id: UUID, walk: int, pool_id: UUID) -> UUID:
    """The batch of what one walk of a run puts into one pool, the same for every worker; it becomes a release."""
    return uuid5(run_id, f"{walk}:{pool_id}")
