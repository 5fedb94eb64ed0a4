"""A page of orders, or of what is not paid, reads few rows, however many there are and whoever asks."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from chassis.identifiers import new_id
from crm.pool.v1 import pool_events_pb2 as pb
from crm_customer.counting import explain
from crm_customer.customers.sight import sight_of
from crm_customer.orders.pages import page_statement, total
from crm_customer.orders.views import OrderQuery, OrderSort
from crm_customer.ownership.projection import keep_pools
from crm_customer.ownership.rules import HIDDEN_BY_DEFAULT
from crm_customer.payments.queries import outstanding_page, outstanding_total
from crm_customer.payments.views import OutstandingQuery
from crm_customer.service import SERVICE
from directory import store
from tests.support.organisation import Member
from tests.support.plans import rows_read
from tests.support.services import Opener

CUSTOMERS, ORDERS, OWNERS = 30_000, 60_000, 1_000
MOST_ROWS_READ = 10_000
TODAY = date(2026, 11, 26)
ROLES = ["sales", "supervisor", "rival_supervisor", "operations", "admin"]

# Owner 0 is `sales`; each 50th owner works in the east, the others in the south; a tenth of the customers lies in the
# public pool. Two orders a customer; each has a receivable, and of 20 one is not paid.
FILL = (
    """
    INSERT INTO customers (id, version, facts_version, name, owner_id, owner_department_id, pool_id, assignment_version,
        created_by, created_at, updated_at)
    SELECT gen_random_uuid(), 1, 1, '客户' || n, CASE WHEN n % 10 > 0 THEN owners[1 + n % :owners] END,
        CASE WHEN n % 10 > 0 THEN CASE WHEN n % 50 = 1 THEN CAST(:east AS uuid) ELSE CAST(:south AS uuid) END END,
        CASE WHEN n % 10 = 0 THEN CAST(:pool AS uuid) END, 1, :sales, now(), now()
    FROM generate_series(1, :customers) AS n, (SELECT CAST(:owner_ids AS uuid[]) AS owners)
    """,
    """
    INSERT INTO orders (id, customer_id, status, deal_on, amount, amount_agreed, currency, member_id, owner_id, created_by,
        created_at, updated_at)
    SELECT gen_random_uuid(), customers.id, CASE WHEN n % 1000 = 0 THEN 'draft' ELSE 'completed' END,
        CAST(:today AS date) - (substr(name, 3)::int * 7 + n) % 2000, 100, FALSE, 'CNY', COALESCE(owner_id, created_by),
        owner_id, created_by, now() - (substr(name, 3)::int * 31 + n) % 90000 * INTERVAL '1 minute', now()
    FROM customers, LATERAL (SELECT substr(name, 3)::int * 2 + i AS n FROM generate_series(0, 1) AS i)
    """,
    """
    INSERT INTO receivables (id, order_id, due_on, amount, outstanding, created_by, created_at, updated_at)
    SELECT gen_random_uuid(), id, deal_on + 30, 100, CASE WHEN number % 20 = 3 THEN 100 ELSE 0 END, created_by, now(), now()
    FROM orders
    """,
)


@pytest.fixture(scope="module")
def many(services: Opener) -> Iterator[Any]:
    """60,000 orders of 30,000 customers, which no test changes."""
    with services.open(SERVICE) as opened:
        organisation = opened.organisation
        owners = [organisation.sales.id, *(new_id() for _ in range(OWNERS - 1))]
        departments = [organisation.east if n % 50 == 1 else organisation.south for n in range(OWNERS)]
        members = [
            organisation.member_state(Member(id_, f"成员{n}", "sales", departments[n]))
            for n, id_ in enumerate(owners)
            if n
        ]
        kind, hidden = pb.PoolKind.POOL_KIND_PUBLIC, HIDDEN_BY_DEFAULT
        pool = pb.Pool(id=str(new_id()), version=1, name="公海", kind=kind, open_to_all=True, hidden_fields=hidden)
        values = {"owner_ids": owners, "owners": OWNERS, "customers": CUSTOMERS, "today": TODAY, "pool": pool.id}
        values |= {"east": organisation.east, "south": organisation.south, "sales": organisation.sales.id}
        with opened.database.transaction() as session:
            store.store_members(session, members)
            keep_pools(session, [pool])
            for statement in FILL:
                session.execute(text(statement), values)
            session.execute(text("UPDATE customers SET owner_id = :sales WHERE name LIKE '%771'"), values)
        with opened.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
        yield opened


def _orders(many: Any) -> Iterator[OrderQuery]:
    sales = many.organisation.sales.id
    days = {"deal_from": TODAY - timedelta(days=3), "deal_to": TODAY}
    for sort in OrderSort:
        yield OrderQuery(sort=sort)
        yield OrderQuery(sort=sort, page=20)
        yield OrderQuery(sort=sort, status="draft")
        yield OrderQuery(sort=sort, status="completed")
        yield OrderQuery(sort=sort, owner_id=sales)
        yield OrderQuery(sort=sort, member_id=sales)
        yield OrderQuery(sort=sort, search="客户29999")
        yield OrderQuery(sort=sort, search="77")
        yield OrderQuery(sort=sort, **days)


@pytest.mark.parametrize("role", ROLES)
def test_a_page_of_orders_reads_few_rows_for_every_role_sort_and_indexed_filter(many: Any, role: str) -> None:
    for wanted in _orders(many):
        with many.database.reading() as session:
            sight = sight_of(session, getattr(many.organisation, role).id)
            page = page_statement(session, sight, wanted, (wanted.page - 1) * wanted.page_size, wanted.page_size)
            plan = explain(session, page, analyze=True)

        assert rows_read(plan) < MOST_ROWS_READ, (wanted, rows_read(plan), plan)


@pytest.mark.parametrize("role", ROLES)
def test_a_page_of_what_is_not_paid_reads_few_rows(many: Any, role: str) -> None:
    for wanted in (OutstandingQuery(), OutstandingQuery(overdue=False), OutstandingQuery(due_from=TODAY)):
        with many.database.reading() as session:
            sight = sight_of(session, getattr(many.organisation, role).id)
            plan = explain(session, outstanding_page(session, sight, wanted, TODAY), analyze=True)

        assert rows_read(plan) < MOST_ROWS_READ, (wanted, rows_read(plan), plan)


@pytest.mark.parametrize("role", ["sales", "supervisor", "admin"])
def test_every_shape_of_a_page_shows_the_same_orders(many: Any, role: str) -> None:
    """Page after page: none twice, none missing, as many as are counted."""
    with many.database.reading() as session:
        sight = sight_of(session, getattr(many.organisation, role).id)
        every = [
            id_
            for offset in (0, 200, 400)
            for id_ in session.scalars(page_statement(session, sight, OrderQuery(status="draft"), offset, 200))
        ]
        due = list(session.scalars(outstanding_page(session, sight, OutstandingQuery(page_size=200), TODAY)))

    assert len(set(every)) == len(every) == total(many.database, sight, OrderQuery(status="draft")).rows
    assert len(set(due)) == min(200, outstanding_total(many.database, sight, OutstandingQuery(), TODAY).rows)
