"""Who seems to hoard customers. A signal is a reason to look, not a proof."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from chassis.days import day_of
from crm_pool.signals.rules import EXAMPLES, QUIET_DAYS, WINDOW_DAYS, SignalKind
from directory.permissions import Permission
from directory.scope import Scope

# Each member's gains of the window are walked by their index, and for each the loss before it is looked up.
_RINGS = text("""
    SELECT member_id, count(DISTINCT customer_id) AS customers, count(*) AS occasions, NULL AS claims,
        (array_agg(customer_id ORDER BY at DESC))[1:CAST(:examples AS int)] AS latest
    FROM (
        SELECT back.to_owner_id AS member_id, back.customer_id, back.at
        FROM directory_members AS members
        JOIN assignment_history AS back ON back.to_owner_id = members.id
        CROSS JOIN LATERAL (
            SELECT at, cause, actor_id FROM assignment_history
            WHERE customer_id = back.customer_id AND version < back.version AND from_owner_id = members.id
                AND to_owner_id IS DISTINCT FROM members.id
            ORDER BY version DESC LIMIT 1
        ) AS lost
        WHERE (CAST(:all AS boolean) OR members.department_id = ANY(CAST(:departments AS uuid[])))
            AND back.at >= :since AND back.cause IN ('claim', 'transfer')
            AND lost.cause = 'release' AND lost.actor_id = members.id AND lost.at >= back.at - CAST(:within AS interval)
    ) AS rings
    GROUP BY member_id
""")
_UNTOUCHED = text("""
    SELECT member_id, count(DISTINCT customer_id) FILTER (WHERE first_touch_at IS NULL) AS customers,
        count(*) FILTER (WHERE first_touch_at IS NULL) AS occasions, count(*) AS claims,
        (array_agg(customer_id ORDER BY day DESC, customer_id) FILTER (WHERE first_touch_at IS NULL))[1:CAST(:examples AS int)]
            AS latest
    FROM directory_members AS members
    JOIN claim_ledger ON member_id = members.id
    WHERE (CAST(:all AS boolean) OR members.department_id = ANY(CAST(:departments AS uuid[])))
        AND day BETWEEN :first AND :last
    GROUP BY member_id
    HAVING count(*) > count(first_touch_at)
""")


@dataclass(frozen=True)
class Signal:
    """Of one member: `customers` on so many `occasions`, out of `claims` in the time looked at; the `latest` few of them."""

    kind: SignalKind
    member_id: UUID
    customers: int
    occasions: int
    claims: int | None
    latest: Sequence[UUID]


def signals(session: Session, scope: Scope, now: datetime, zone: str) -> list[Signal]:
    """Of members in the departments that the reader sees, of everybody for who manages pools or sees the company; those
    with most customers first.
    """
    today = day_of(now, zone)
    given = {
        "all": scope.company or scope.may(Permission.POOL_MANAGE),
        "departments": list(scope.department_ids),
        "examples": EXAMPLES,
        "since": now - timedelta(days=WINDOW_DAYS),
        "within": timedelta(days=WINDOW_DAYS),
        "first": today - timedelta(days=QUIET_DAYS + WINDOW_DAYS),
        "last": today - timedelta(days=QUIET_DAYS),
    }
    asked = {SignalKind.RING: _RINGS, SignalKind.UNTOUCHED: _UNTOUCHED}
    found = [
        Signal(kind, row.member_id, row.customers, row.occasions, row.claims, row.latest)
        for kind, statement in asked.items()
        for row in session.execute(statement, given)
    ]
    return sorted(found, key=lambda one: (-one.customers, one.kind, one.member_id))
