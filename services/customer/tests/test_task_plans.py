"""A page of tasks reads about as many rows as it shows, however many tasks there are and whoever asks."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from chassis.identifiers import new_id
from crm_customer.counting import explain
from crm_customer.customers.sight import sight_of
from crm_customer.service import SERVICE
from crm_customer.tasks.pages import page_of, page_statement, total
from crm_customer.tasks.rules import UNFINISHED, Kind, Status, TaskConditions
from directory import store
from tests.support.organisation import Member
from tests.support.plans import rows_read
from tests.support.services import Opener

TASKS, MEMBERS = 100_000, 2_000
MOST_ROWS_READ = 10_000
MOMENT = datetime(2026, 11, 26, tzinfo=UTC)

# 张三 asked for each tenth, and is to do each 100th; the other members work for each other. Of four, three are closed.
FILL = text("""
    INSERT INTO customers (id, version, facts_version, name, assignment_version, created_by, created_at, updated_at)
    SELECT gen_random_uuid(), 1, 1, '客户' || n, 1, :sales, :moment, :moment FROM generate_series(1, 1000) AS n
""")
FILL_TASKS = text("""
    INSERT INTO tasks (id, kind, subject, priority, status, customer_id, owner_id, handler_id, created_by, due_at, closed_at,
        created_at, updated_at)
    SELECT gen_random_uuid(), CASE WHEN n % 7 = 0 THEN 'visit' ELSE 'call' END, '任务' || n, 'normal',
        statuses[1 + n % 8], customers[1 + n % 1000], members[1 + n % :members],
        CASE WHEN n % 100 = 7 THEN CAST(:sales AS uuid) ELSE members[1 + n * 7 % :members] END,
        CASE WHEN n % 10 = 3 THEN CAST(:sales AS uuid) ELSE members[1 + n * 3 % :members] END,
        CASE WHEN n % 5 > 0 THEN :moment + n % 1000 * INTERVAL '1 hour' END,
        CASE WHEN n % 8 > 1 THEN CAST(:moment AS timestamptz) END, :moment, :moment
    FROM generate_series(1, :tasks) AS n,
        (SELECT array_agg(id) AS customers FROM customers),
        (SELECT CAST(:member_ids AS uuid[]) AS members),
        (SELECT ARRAY['open', 'in_progress', 'done', 'done', 'done', 'done', 'ended', 'ended'] AS statuses)
""")


@pytest.fixture(scope="module")
def many(services: Opener) -> Iterator[Any]:
    """100,000 tasks of 2,000 members, of whom 20 work in the east and the others in the south."""
    with services.open(SERVICE) as opened:
        organisation = opened.organisation
        ids = [new_id() for _ in range(MEMBERS)]
        states = [
            organisation.member_state(
                Member(id_, f"成员{n}", "sales", organisation.east if n % 100 == 0 else organisation.south)
            )
            for n, id_ in enumerate(ids)
        ]
        with opened.database.transaction() as session:
            store.store_members(session, states)
            given = {"sales": organisation.sales.id, "moment": MOMENT}
            session.execute(FILL, given)
            session.execute(FILL_TASKS, given | {"members": MEMBERS, "member_ids": ids, "tasks": TASKS})
        with opened.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
        yield opened


def _cases() -> Iterator[tuple[str, dict[str, Any]]]:
    week = timedelta(days=7)
    yield "all", {}
    yield "unfinished", {"statuses": UNFINISHED}
    yield "done", {"statuses": (Status.DONE,)}
    yield "visits", {"kind": Kind.VISIT}
    yield "a week", {"due_from": MOMENT + week, "due_until": MOMENT + 2 * week}


@pytest.mark.parametrize("role", ["sales", "supervisor", "rival_supervisor", "operations", "admin"])
def test_a_page_of_tasks_reads_few_rows_whoever_asks(many: Any, role: str) -> None:
    lists: list[dict[str, Any]] = [{"role": name} for name in ("handler_id", "owner_id", "created_by")]
    with many.database.reading() as session:
        sight = sight_of(session, many.organisation.members[role].id)
        for whose in (*lists, {"supervised": True}):
            for name, more in _cases():
                wanted = TaskConditions(**whose, **more)
                plan = explain(session, page_statement(session, sight, wanted, 30, 15), analyze=True)

                assert rows_read(plan) < MOST_ROWS_READ, (whose, name, rows_read(plan), plan)


def test_a_customers_tasks_are_found_by_the_customer(many: Any) -> None:
    with many.database.reading() as session:
        customer_id: UUID = session.execute(text("SELECT id FROM customers LIMIT 1")).scalar_one()
        sight = sight_of(session, many.organisation.admin.id)
        wanted = TaskConditions(customer_id=customer_id)
        plan = explain(session, page_statement(session, sight, wanted, 0, 15), analyze=True)

    assert rows_read(plan) < 1_000, plan


@pytest.mark.parametrize("role", ["supervisor", "rival_supervisor", "operations", "admin"])
def test_pages_found_by_walks_are_the_list(many: Any, role: str) -> None:
    """However it is found, the list is the same: page after page, and by its total."""
    wanted = TaskConditions(supervised=True, statuses=(Status.IN_PROGRESS,), kind=Kind.VISIT)
    with many.database.reading() as session:
        sight = sight_of(session, many.organisation.members[role].id)
        pages = [page_of(session, sight, wanted, offset, 100) for offset in range(0, 800, 100)]
        expected = session.scalars(
            text(
                "SELECT tasks.id FROM tasks WHERE status = 'in_progress' AND kind = 'visit' AND (:company OR EXISTS (SELECT 1 FROM"
                " directory_members m WHERE m.id IN (handler_id, owner_id, created_by)"
                " AND department_id = ANY(CAST(:departments AS uuid[])))) ORDER BY due_at, id LIMIT 800"
            ),
            {"company": sight.scope.company, "departments": list(sight.scope.department_ids)},
        ).all()
    found = [id_ for page in pages for id_ in page]

    assert found == expected
    assert total(many.database, sight, wanted).rows >= len(found)
