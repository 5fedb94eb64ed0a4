"""What went on in pools during a period: the numbers of the endpoint and of the metrics alike."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from crm_pool.history.views import Period

# What stays where it is, as when a customer is deleted or restored, neither comes nor goes.
_MOVES = text("""
    SELECT CAST(at AT TIME ZONE :zone AS date) AS day, TRUE AS came, cause, count(*) AS customers
    FROM assignment_history
    WHERE to_pool_id = ANY(CAST(:pools AS uuid[])) AND at >= :since AND at < :until
        AND to_pool_id IS DISTINCT FROM from_pool_id
    GROUP BY day, cause
    UNION ALL
    SELECT CAST(at AT TIME ZONE :zone AS date) AS day, FALSE, cause, count(*)
    FROM assignment_history
    WHERE from_pool_id = ANY(CAST(:pools AS uuid[])) AND at >= :since AND at < :until
        AND to_pool_id IS DISTINCT FROM from_pool_id
    GROUP BY day, cause
    ORDER BY day, cause
""")
# A stay began with the change before, whatever deletions lay between.
_STAYS = text("""
    SELECT count(*) AS customers, avg(stays.days) AS average, percentile_cont(0.5) WITHIN GROUP (ORDER BY stays.days) AS median
    FROM (
        SELECT CAST(extract(epoch FROM gone.at - came.at) AS float8) / 86400 AS days
        FROM assignment_history AS gone
        CROSS JOIN LATERAL (
            SELECT at FROM assignment_history
            WHERE customer_id = gone.customer_id AND version < gone.version AND cause <> 'suspend'
            ORDER BY version DESC LIMIT 1
        ) AS came
        WHERE gone.from_pool_id = ANY(CAST(:pools AS uuid[])) AND gone.at >= :since AND gone.at < :until
            AND gone.to_pool_id IS DISTINCT FROM gone.from_pool_id
    ) AS stays
""")
_RETURNS = text("""
    SELECT count(*) AS customers, count(*) FILTER (WHERE EXISTS (
        SELECT FROM assignment_history AS earlier
        WHERE earlier.customer_id = came.customer_id AND earlier.version < came.version
            AND earlier.to_pool_id = ANY(CAST(:pools AS uuid[]))
    )) AS again
    FROM assignment_history AS came
    WHERE came.to_pool_id = ANY(CAST(:pools AS uuid[])) AND came.from_owner_id IS NOT NULL
        AND came.at >= :since AND came.at < :until
""")
_CLAIMS = text("""
    SELECT count(*) AS customers, count(claims.hours) AS touched, avg(claims.hours) AS average,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY claims.hours) AS median
    FROM (
        SELECT CAST(extract(epoch FROM claim.first_touch_at - made.at) AS float8) / 3600 AS hours
        FROM claim_ledger AS claim
        JOIN assignment_history AS made ON made.customer_id = claim.customer_id AND made.version = claim.version
        WHERE claim.pool_id = ANY(CAST(:pools AS uuid[])) AND claim.day BETWEEN :first AND :last
    ) AS claims
""")
_LYING = text("""
    SELECT count(*) AS customers FROM assignments WHERE pool_id = ANY(CAST(:pools AS uuid[])) AND NOT suspended
""")


@dataclass(frozen=True)
class Moves:
    """How many customers came or went (`came` False) on a day for a cause."""

    day: date
    came: bool
    cause: str
    customers: int


@dataclass(frozen=True)
class Figures:
    """`lying`: customers there now. The rest is about the period.

    `stays`: customers that left, and their days there; `returns`: customers that owners lost to it, `again`: of these
    those that had lain there before; `claims` out of it, those `touched` since, and the hours until the first touch.
    """

    lying: int
    moves: Sequence[Moves]
    stays: int
    stay_days_average: float | None
    stay_days_median: float | None
    returns: int
    returns_again: int
    claims: int
    claims_touched: int
    touch_hours_average: float | None
    touch_hours_median: float | None


def figures(session: Session, pool_ids: Collection[UUID], period: Period) -> Figures:
    """The figures of several pools together, or of one."""
    given = {
        "pools": list(pool_ids),
        "zone": period.zone,
        "since": period.since,
        "until": period.until,
        "first": period.first,
        "last": period.last,
    }

    def asked(statement: TextClause) -> Any:
        return session.execute(statement, given)

    stays, returns, claims = (asked(statement).one() for statement in (_STAYS, _RETURNS, _CLAIMS))
    return Figures(
        lying=asked(_LYING).scalar_one(),
        moves=[Moves(*row) for row in asked(_MOVES)],
        stays=stays.customers,
        stay_days_average=stays.average,
        stay_days_median=stays.median,
        returns=returns.customers,
        returns_again=returns.again,
        claims=claims.customers,
        claims_touched=claims.touched,
        touch_hours_average=claims.average,
        touch_hours_median=claims.median,
    )
