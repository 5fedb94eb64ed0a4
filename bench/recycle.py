"""A run of the recycler until lists show it, beside the same two UPDATEs in plain SQL; then with ten times the assignments.

`python -m bench.recycle [customers]`; one in twenty expires. Goals (design §8): 0.4 × the plain UPDATEs, and the same cost
however many assignments there are that do not expire.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import psycopg

from bench.running import whole_system
from bench.seed import Size, opened, seed_customers, seed_organisation
from chassis.clock import now
from chassis.identifiers import new_id
from crm_pool.expiry.model import RecycleRule
from crm_pool.recycle_rules.model import Recompute
from crm_pool.recycle_rules.queries import basis
from highsea_local.demo.gateway import until
from tests.support.whole import Whole

GOAL = 0.4
EXPIRING = 20
TIMES = 10
WAIT_SECONDS = 3600
# Idle connections of PostgreSQL have told by then what they read.
REPORTED_SECONDS = 12

# What a run changes in pool's and in customer's database, by the shortest way.
_PLAIN = {
    "pool": """
        UPDATE assignments SET owner_id = NULL, pool_id = %(pool)s, held_since = now(), expires_on = NULL, version = version + 1
        WHERE customer_id = ANY (%(ids)s)
    """,
    "customer": """
        UPDATE customers SET owner_id = NULL, owner_department_id = NULL, pool_id = %(pool)s, held_since = now(),
            expires_on = NULL, assignment_version = assignment_version + 1, effects_version = effects_version + 1
        WHERE id = ANY (%(ids)s)
    """,
}
# Today's run begins (again), and somebody has let it go.
_CONFIRMED = """
    INSERT INTO recycling_runs AS run (id, day, state, started_at, decided_at, walk, nominated, taken, spared)
    SELECT gen_random_uuid(), (now() AT TIME ZONE 'Asia/Shanghai')::date, 'running', now(), now(), 1, 0, 0, 0
    ON CONFLICT (day) DO UPDATE SET state = 'running', started_at = now(), decided_at = now(), finished_at = NULL,
        walk = run.walk + 1, after_expires_on = NULL, after_customer_id = NULL
"""
# The expired ones leave the index in the transaction that takes them.
_READ = "SELECT idx_tup_read AS entries FROM pg_stat_user_indexes WHERE indexrelname = 'ix_assignments_expires_on'"


@dataclass(frozen=True)
class Measured:
    """How long a run took, from its first customer on, and how many entries it read of the index of what expires."""

    seconds: float
    entries: int


def main() -> None:
    """Seed a fresh system and print one line per way."""
    size = Size(*map(int, sys.argv[1:2]))
    count = size.customers // EXPIRING
    with whole_system() as whole:
        people = seed_organisation(whole, size)
        seed_customers(whole, people.owners, size, size.customers, contacts=False)
        pool_id = whole.pool()["id"]
        _put_in_force(whole, pool_id)
        plain = _plain(whole, pool_id, _owned(whole, count))
        once = _recycle(whole, _owned(whole, count))
        _add_assignments(whole, pool_id, size.customers * (TIMES - 1))
        often = _recycle(whole, _owned(whole, count))
    print(f"\n{count} of {size.customers} expire; goal {GOAL} × plain, and the same among {TIMES} times as many")
    print(f"{'':<28}{'seconds':>10}{'× plain':>10}{'entries read':>14}")
    print(f"{'two UPDATEs in plain SQL':<28}{plain:>10.1f}{1:>10.2f}")
    for name, one in (("run, until lists show it", once), (f"the same among {TIMES} times", often)):
        print(f"{name:<28}{one.seconds:>10.1f}{plain / one.seconds:>10.2f}{one.entries:>14}")


def _put_in_force(whole: Whole, pool_id: str) -> None:
    """30 days without a follow-up for everybody, and no run or recompute by itself."""
    at, rule_id = now(), new_id()
    rule = RecycleRule(
        id=rule_id,
        version=1,
        pool_id=UUID(pool_id),
        number=1,
        state="active",
        conditions=[{"kind": "no_follow_up", "days": 30, "days_by_level": {}}],
        working_days=False,
        exempt_won=True,
        exempt_open_opportunity=True,
        created_by=new_id(),
        created_at=at,
        updated_at=at,
    )
    with opened(whole, "pool") as pool, pool.transaction() as session:
        session.add(rule)
        session.flush()
        known = basis(session)
        done = Recompute(
            id=new_id(), causes=["rules"], rule_ids=[rule_id], basis=known, at=at, done_at=at, examined=0, changed=0
        )
        session.add(done)


def _owned(whole: Whole, count: int) -> list[UUID]:
    """Customers with owners, from all over the table."""
    statement = (
        "SELECT customer_id FROM assignments WHERE owner_id IS NOT NULL ORDER BY md5(customer_id::text) LIMIT %s"
    )
    return [row["customer_id"] for row in whole.rows("pool", statement, [count])]


def _plain(whole: Whole, pool_id: str, ids: Sequence[UUID]) -> float:
    started = time.perf_counter()
    for service, statement in _PLAIN.items():
        with psycopg.connect(whole.system.database_url(service)) as connection:
            connection.execute(statement, {"pool": pool_id, "ids": list(ids)})
    return time.perf_counter() - started


def _recycle(whole: Whole, ids: Sequence[UUID]) -> Measured:
    """Let these expire and a confirmed run take them, until no list of customer's shows an owner."""
    before = whole.rows("pool", _READ)[0]["entries"]
    with psycopg.connect(whole.system.database_url("pool")) as connection:
        connection.execute(
            "UPDATE assignments SET held_since = now() - interval '40 days', expires_on = current_date - 9"
            " WHERE customer_id = ANY (%s)",
            [list(ids)],
        )
        connection.execute(_CONFIRMED)
    owned = "SELECT 1 FROM customers WHERE id = ANY (%s) AND owner_id IS NOT NULL LIMIT 1"
    until(lambda: not whole.rows("customer", owned, [list(ids)]), WAIT_SECONDS)
    ended = now()
    first = "SELECT min(at) AS at FROM assignment_history WHERE cause = 'recycle' AND at > %s"
    begun = whole.rows("pool", "SELECT started_at FROM recycling_runs ORDER BY number DESC LIMIT 1")[0]["started_at"]
    seconds = (ended - whole.rows("pool", first, [begun])[0]["at"]).total_seconds()
    ended_run = "SELECT 1 FROM recycling_runs WHERE state = 'finished' AND started_at = %s"
    until(lambda: whole.rows("pool", ended_run, [begun]), WAIT_SECONDS)
    time.sleep(REPORTED_SECONDS)
    return Measured(seconds, whole.rows("pool", _READ)[0]["entries"] - before)


def _add_assignments(whole: Whole, pool_id: str, count: int) -> None:
    """Customers in a pool, that expire never."""
    with psycopg.connect(whole.system.database_url("pool"), autocommit=True) as connection:
        connection.execute(
            "INSERT INTO assignments (customer_id, version, pool_id, held_since, suspended)"
            " SELECT gen_random_uuid(), 1, %s, now(), false FROM generate_series(1, %s)",
            [pool_id, count],
        )
        connection.execute("VACUUM ANALYZE assignments")


if __name__ == "__main__":
    main()
