"""Measuring what goes on in pools: the figures of the last seven days, by kind of pool."""

import math
from collections.abc import Callable, Mapping
from datetime import timedelta

from sqlalchemy.orm import Session

from chassis import clock
from chassis.days import day_of
from chassis.due import DueTask
from chassis.metrics import Fact
from chassis.runtime import Runtime
from crm_pool.figures.queries import Figures, figures
from crm_pool.history.views import Period
from crm_pool.pools.queries import all_pools
from crm_pool.pools.rules import PoolKind
from directory.scope import zone_of

_DAYS = 7
# Dearer than other facts, and nobody acts on them within minutes.
_SECONDS = 300

_customers = Fact("crm_pool_customers", "Customers that lie in pools of the kind (work; max)", ["kind"])
_moves = Fact(
    "crm_pool_moves",
    "Customers that came into pools of the kind or left them in the last 7 days (work; max)",
    ["kind", "direction"],
)
_stays = Fact(
    "crm_pool_stay_days", "Days in the pool of those that left in the last 7 days, the median (work; max)", ["kind"]
)
_returns = Fact(
    "crm_pool_returns",
    "Customers that owners lost to pools of the kind in the last 7 days: for the first time, again (work; max)",
    ["kind", "time"],
)
_claims = Fact("crm_pool_claims", "Claims of the last 7 days: touched since, untouched (work; max)", ["kind", "state"])
_touches = Fact(
    "crm_pool_first_touch_hours",
    "Hours from claim to first touch, claims of the last 7 days, the median (work; max)",
    ["kind"],
)


def measure_pools(runtime: Runtime) -> bool:
    """Set the facts."""
    with runtime.database.reading() as session:
        found = _by_kind(session)
    _customers.set_all({(kind,): one.lying for kind, one in found.items()})
    _moves.set_all(
        _numbers(found, {"in": lambda one: _moved(one, came=True), "out": lambda one: _moved(one, came=False)})
    )
    _stays.set_all({(kind,): _or_none(one.stay_days_median) for kind, one in found.items()})
    _returns.set_all(
        _numbers(found, {"first": lambda one: one.returns - one.returns_again, "again": lambda one: one.returns_again})
    )
    _claims.set_all(
        _numbers(
            found,
            {"touched": lambda one: one.claims_touched, "untouched": lambda one: one.claims - one.claims_touched},
        )
    )
    _touches.set_all({(kind,): _or_none(one.touch_hours_median) for kind, one in found.items()})
    return False


def _or_none(median: float | None) -> float:
    """A median of nothing is no number."""
    return math.nan if median is None else median


def _moved(one: Figures, *, came: bool) -> int:
    return sum(move.customers for move in one.moves if move.came is came)


def _numbers(
    found: Mapping[str, Figures], numbers: Mapping[str, Callable[[Figures], int]]
) -> Mapping[tuple[str, ...], float]:
    return {(kind, name): number(one) for kind, one in found.items() for name, number in numbers.items()}


def _by_kind(session: Session) -> dict[str, Figures]:
    zone = zone_of(session)
    today = day_of(clock.now(), zone)
    period = Period(today - timedelta(days=_DAYS - 1), today, zone)
    pools = all_pools(session).values()
    return {kind: figures(session, [pool.id for pool in pools if pool.pool_kind is kind], period) for kind in PoolKind}


MEASURE_POOLS = DueTask("measure-pools", _SECONDS, measure_pools)
