"""A page reads about as many rows as it shows, whoever asks, however many customers there are."""

from typing import Any

import pytest
from sqlalchemy import text

from chassis.clock import now
from chassis.identifiers import new_id
from crm_customer.customers.queries import sight_of
from crm_customer.listing.queries import explain, page_statement, total, walk_indexes
from crm_customer.listing.rules import Filter, ListView, Sort, with_view

ROWS = 30_000
# One of 30 owners and three pools each; company-wide filters must not walk the table.
MOST_ROWS_READ = 3_000

FILL = text("""
    INSERT INTO customers (id, version, facts_version, name, industry, owner_id, owner_department_id, pool_id,
        assignment_version, created_by, created_at, updated_at)
    SELECT id, 1, 1, '客户' || n, CASE WHEN n % 5 = 0 THEN 'education' ELSE 'other' END,
        CASE WHEN n % 3 > 0 THEN CASE WHEN n % 90 = 1 THEN CAST(:me AS uuid) ELSE owners[1 + n % 29] END END,
        CASE WHEN n % 3 > 0 THEN CASE WHEN n % 2 = 1 THEN CAST(:east AS uuid) ELSE CAST(:south AS uuid) END END,
        CASE WHEN n % 3 = 0 THEN CAST(:pool AS uuid) END, 1, CAST(:me AS uuid),
        moment, moment
    FROM (
        SELECT gen_random_uuid() AS id, n, :owners AS owners,
            TIMESTAMPTZ '2026-01-01' + n * INTERVAL '10 minutes' - (n % 3 = 0)::int * INTERVAL '1 year' AS moment
        FROM generate_series(1, :rows) AS n
    ) AS given
""")


@pytest.fixture
def many(customers: Any) -> Any:
    """30,000 customers: a third in the public pool and older, the rest with 30 owners in two departments."""
    organisation = customers.organisation
    with customers.database.transaction() as session:
        session.execute(
            FILL,
            {
                "rows": ROWS,
                "me": organisation.sales.id,
                "east": organisation.east,
                "south": organisation.south,
                "pool": customers.open_pool,
                "owners": [new_id() for _ in range(29)],
            },
        )
        session.execute(
            text("""
            INSERT INTO customer_search (customer_id, name, address, grams)
            SELECT id, name, '', ARRAY(SELECT substr(name, i, 2) FROM generate_series(1, length(name) - 1) AS i)
            FROM customers
        """)
        )
        session.execute(
            text("""
            INSERT INTO contacts (id, customer_id, is_primary, name, mobile, created_at, updated_at)
            SELECT gen_random_uuid(), id, TRUE, name, '138' || lpad(substr(name, 3), 8, '0'), created_at, created_at
            FROM customers
        """)
        )
    with customers.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    return customers


def rows_read(plan: dict[str, Any]) -> int:
    own = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    return int(own) + sum(rows_read(part) for part in plan.get("Plans", ()))


def tables_scanned(plan: dict[str, Any]) -> set[str]:
    found = {plan["Relation Name"]} if plan["Node Type"] == "Seq Scan" else set()
    return found.union(*(tables_scanned(part) for part in plan.get("Plans", ())))


CASES = {
    "newest": Filter(),
    "oldest": Filter(sort=Sort.OLDEST),
    "industry": Filter(exact=(("industry", "education"),)),
    "recently updated": Filter(sort=Sort.LAST_UPDATED),
    "text": Filter(search="客户2999"),
    "frequent text": Filter(search="客户"),
    "number": Filter(search="138000001"),
    "pool": Filter(),
    "owner": Filter(),
    "this month": Filter(),
}


@pytest.mark.parametrize("role", ["sales", "supervisor", "operations", "admin"])
def test_a_page_reads_few_rows_for_every_role_and_filter(many: Any, role: str) -> None:
    member = getattr(many.organisation, role)
    with many.database.reading() as session:
        sight = sight_of(session, member.id)
        month = with_view(Filter(), ListView.CREATED_THIS_MONTH, member.id, now(), "Asia/Shanghai")
        cases = CASES | {
            "pool": Filter(pool_id=many.open_pool),
            "owner": Filter(owner_id=many.organisation.sales.id),
            "this month": month,
        }
        for name, wanted in cases.items():
            session.execute(text("SET LOCAL enable_bitmapscan = on"))
            walk_indexes(session, sight, wanted)
            plan = explain(session, page_statement(sight, wanted, 30, 15), analyze=True)

            assert rows_read(plan) < MOST_ROWS_READ, (role, name, rows_read(plan), plan)
            assert tables_scanned(plan) == set(), (role, name)


def test_a_total_that_takes_too_long_is_an_estimate(many: Any, monkeypatch: Any) -> None:
    from crm_customer.listing import queries

    with many.database.reading() as session:
        sight = sight_of(session, many.organisation.admin.id)
    assert total(many.database, sight, Filter()) == (ROWS, False)

    monkeypatch.setattr(queries, "_TOTAL_MILLISECONDS", 1)
    count, estimated = total(many.database, sight, Filter(sort=Sort.LAST_UPDATED))

    assert estimated
    assert ROWS / 2 < count < ROWS * 2
