"""A page of callers, and what is asked of calls around customers, reads few rows however many there are."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from chassis.clock import now
from chassis.days import day_of
from crm_customer.counting import explain
from crm_customer.customers.sight import sight_of
from crm_customer.listing.queries import page_statement
from crm_customer.listing.rules import Filter, ListView
from crm_customer.service import SERVICE
from tests.support.plans import explained, rows_read
from tests.support.services import Opener

CUSTOMERS, CALLERS, CALLS = 30_000, 20_000, 60_000
MOST_ROWS_READ = 10_000
# Every second caller is a customer's; of those one half by a mobile number, one by a fixed line's.
FILL = (
    """
    INSERT INTO customers (id, version, facts_version, name, owner_id, owner_department_id, assignment_version, created_by,
        created_at, updated_at)
    SELECT gen_random_uuid(), 1, 1, '客户' || n, CAST(:sales AS uuid), CAST(:east AS uuid), 1, :sales,
        now() - n * INTERVAL '1 minute', now() FROM generate_series(1, :customers) AS n
    """,
    """
    INSERT INTO contacts (id, version, name, mobile, phone, customer_id, created_at, updated_at)
    SELECT gen_random_uuid(), 1, '王磊', CASE WHEN n % 2 = 0 THEN '138' || lpad(n::text, 8, '0') END,
        CASE WHEN n % 2 = 1 THEN '+86 10 6' || lpad(n::text, 7, '0') END, id, now(), now()
    FROM (SELECT id, substr(name, 3)::int AS n FROM customers) AS made
    """,
    "INSERT INTO customer_contacts (customer_id, contact_id, is_primary) SELECT customer_id, id, TRUE FROM contacts",
    """
    INSERT INTO callers (id, number, spellings, last_called_at)
    SELECT gen_random_uuid(), number, ARRAY[number, '86' || ltrim(number, '0'), '00' || number],
        now() - n * INTERVAL '1 minute'
    FROM (SELECT n, CASE n % 4 WHEN 0 THEN '138' || lpad(n::text, 8, '0')
        WHEN 1 THEN '0106' || lpad(n::text, 7, '0') ELSE '0219' || lpad(n::text, 7, '0') END AS number
        FROM generate_series(1, :callers) AS n) AS made
    """,
    """
    INSERT INTO calls (id, call_id, caller_id, hotline, called_at, answered, seconds, reported_at)
    SELECT gen_random_uuid(), callers.id || '-' || n, id, CASE WHEN n = 0 THEN '4008001234' ELSE '95588' END,
        last_called_at - n * INTERVAL '1 day', n = 0, 0, now()
    FROM callers, generate_series(0, :calls / :callers - 1) AS n
    """,
)


@pytest.fixture(scope="module")
def many(services: Opener) -> Iterator[Any]:
    """60,000 calls of 20,000 callers, which no test changes."""
    with services.open(SERVICE) as opened:
        people = opened.organisation
        values = {"customers": CUSTOMERS, "callers": CALLERS, "calls": CALLS}
        values |= {"sales": people.sales.id, "east": people.east}
        with opened.database.transaction() as session:
            for statement in FILL:
                session.execute(text(statement), values)
        with opened.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
        yield opened


def _read(many: Any, role: str, path: str, **query: Any) -> Any:
    reply = many.client.get(
        f"/api/v1{path}", query_string=query, headers=many.headers(getattr(many.organisation, role))
    )
    assert reply.status_code == 200, reply.text
    return reply.json


@pytest.mark.parametrize("role", ["supervisor", "rival_supervisor", "admin"])
@pytest.mark.parametrize(
    "query",
    [
        {},
        {"page": 500},
        {"known": "true"},
        {"known": "false"},
        {"answered": "true"},
        {"hotline": "95588"},
        {"from": str(day_of(now(), "Asia/Shanghai"))},
        {"page": "last"},
    ],
    ids=str,
)
def test_a_page_of_callers_reads_few_rows_whoever_asks_for_what(many: Any, role: str, query: dict[str, Any]) -> None:
    with explained(many.database.engine, "ORDER BY callers.last_called_at") as plans:
        page = _read(many, role, "/calls", **query)
    with explained(many.database.engine, "FROM callers JOIN LATERAL") as shown:
        _read(many, role, "/calls", **query)

    assert page["items"]
    assert len(plans) == len(shown) == 1
    for plan in plans + shown:
        assert rows_read(plan) < MOST_ROWS_READ, (rows_read(plan), plan)


def test_calls_around_one_customer_are_found_by_its_numbers(many: Any) -> None:
    with many.database.reading() as session:
        customer_id = session.scalar(text("SELECT id FROM customers WHERE name = '客户10000'"))

    with explained(many.database.engine, "callers") as plans:
        page = _read(many, "sales", f"/customers/{customer_id}")
        calls = _read(many, "sales", f"/customers/{customer_id}/calls")

    assert page["last_called_at"] == calls["items"][0]["called_at"]
    assert calls["total"] == CALLS // CALLERS
    for plan in plans:
        assert rows_read(plan) < 100, plan


@pytest.mark.parametrize("role", ["sales", "supervisor", "admin"])
def test_a_page_of_many_customers_that_have_called_is_walked(many: Any, role: str) -> None:
    with many.database.reading() as session:
        sight = sight_of(session, getattr(many.organisation, role).id)
        plan = explain(session, *page_statement(session, sight, Filter(among=ListView.CALLED), 0, 15), analyze=True)

    assert plan["Actual Rows"] == 15
    assert rows_read(plan) < 1_000, plan
