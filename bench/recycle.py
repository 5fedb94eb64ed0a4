"""A run of the recycler until lists show it, beside the same in plain SQL; then with ten times the assignments.

`python -m bench.recycle [customers]`; one in twenty expires. Goals (design §8): 0.4 × the two UPDATEs in plain SQL, and the
same cost however many assignments there are that do not expire. What a run writes besides, history and events, is the
second limit: the same facts by the shortest way.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg

from bench.running import whole_system
from bench.seed import Size, opened, seed_customers, seed_organisation
from chassis.clock import now
from chassis.identifiers import new_id
from crm_pool.expiry.model import RecycleRule
from crm_pool.recycle_rules.model import Recompute
from crm_pool.recycle_rules.queries import basis, note_members
from tests.support.whole import Whole

GOAL = 0.4
EXPIRING = 20
TIMES = 10
LOOK_SECONDS = 0.02
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
# What a run writes besides: why and to whom it happened, and a page of it at a time as an event, read by one.
_FACTS = {
    "pool": """
        WITH lost AS MATERIALIZED (
            SELECT customer_id, version, owner_id, row_number() OVER (ORDER BY customer_id) / 500 AS page
            FROM assignments WHERE customer_id = ANY (%(ids)s)
        ), moved AS (
            UPDATE assignments SET owner_id = NULL, pool_id = %(pool)s, held_since = now(), expires_on = NULL,
                version = version + 1
            WHERE customer_id = ANY (%(ids)s)
        ), told AS (
            INSERT INTO outbox (event_id, subject, headers, payload, published_at)
            SELECT gen_random_uuid(), 'crm.bench', '{}', convert_to(string_agg(md5(customer_id::text) || repeat(md5(owner_id::text), 5), ''), 'UTF8'), now()
            FROM lost GROUP BY page
        )
        INSERT INTO assignment_history (customer_id, version, at, cause, from_owner_id, to_pool_id, batch_id, rule_id)
        SELECT customer_id, version + 1, now(), 'move', owner_id, %(pool)s, %(pool)s, %(pool)s FROM lost
    """,
    "customer": """
        WITH read AS (
            INSERT INTO inbox (durable, event_id)
            SELECT 'bench', gen_random_uuid() FROM generate_series(1, 1 + cardinality(%(ids)s) / 500)
        )
    """
    + _PLAIN["customer"],
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
        tell_nobody_today(whole)
        seed_customers(whole, people.owners, size, size.customers, contacts=False)
        pool_id = whole.pool()["id"]
        _put_in_force(whole, pool_id)
        plain, facts = (_plain(whole, by, pool_id, _owned(whole, count)) for by in (_PLAIN, _FACTS))
        once = _recycle(whole, _owned(whole, count))
        _add_assignments(whole, pool_id, size.customers * (TIMES - 1))
        often = _recycle(whole, _owned(whole, count))
    print(f"\n{count} of {size.customers} expire; goal {GOAL} × plain, and the same among {TIMES} times as many")
    print(f"{'':<32}{'seconds':>10}{'× UPDATEs':>12}{'× facts':>10}{'entries read':>14}")
    print(f"{'two UPDATEs in plain SQL':<32}{plain:>10.2f}{1:>12.2f}")
    print(f"{'with history and events':<32}{facts:>10.2f}{plain / facts:>12.2f}{1:>10.2f}")
    for name, one in (("run, until lists show it", once), (f"the same among {TIMES} times", often)):
        shares = f"{plain / one.seconds:>12.2f}{facts / one.seconds:>10.2f}"
        print(f"{name:<32}{one.seconds:>10.2f}{shares}{one.entries:>14}")


def tell_nobody_today(whole: Whole) -> None:
    """Digests of the day have gone out, as to whoever works for the second day: a run does not compete with them."""
    sent = (
        "INSERT INTO work_digests (kind, member_id, day) SELECT 'work', id, (now() AT TIME ZONE 'Asia/Shanghai')::date"
        " FROM directory_members ON CONFLICT DO NOTHING"
    )
    with psycopg.connect(whole.system.database_url("customer")) as connection:
        connection.execute(sent)


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
        note_members(session)
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


def _plain(whole: Whole, by: Mapping[str, str], pool_id: str, ids: Sequence[UUID]) -> float:
    started = time.perf_counter()
    for service, statement in by.items():
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
    ended = _ended(whole, ids)
    first = "SELECT min(at) AS at FROM assignment_history WHERE cause = 'recycle' AND at > %s"
    begun = whole.rows("pool", "SELECT started_at FROM recycling_runs ORDER BY number DESC LIMIT 1")[0]["started_at"]
    seconds = (ended - whole.rows("pool", first, [begun])[0]["at"]).total_seconds()
    time.sleep(REPORTED_SECONDS)
    return Measured(seconds, whole.rows("pool", _READ)[0]["entries"] - before)


def _ended(whole: Whole, ids: Sequence[UUID]) -> datetime:
    """When no list shows an owner of these any more and the run is over, looking so that it costs the run nothing."""
    owned = "SELECT 1 FROM expired JOIN customers USING (id) WHERE owner_id IS NOT NULL LIMIT 1"
    running = "SELECT 1 FROM recycling_runs WHERE state = 'running'"
    with (
        psycopg.connect(whole.system.database_url("customer"), autocommit=True) as customer,
        psycopg.connect(whole.system.database_url("pool"), autocommit=True) as pool,
    ):
        customer.execute("CREATE TEMPORARY TABLE expired (id uuid)")
        customer.execute("INSERT INTO expired SELECT unnest(%s::uuid[])", [list(ids)])
        customer.execute("ANALYZE expired")
        for connection, statement in ((pool, running), (customer, owned)):
            # When a look finds nothing left, that was so when it began.
            while (looked := now()) and connection.execute(statement).fetchone():
                time.sleep(LOOK_SECONDS)
        return looked


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
