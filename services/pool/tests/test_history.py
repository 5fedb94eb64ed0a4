"""Who held what: every change of a member and of a pool, for those whom it concerns (C-42, H-20)."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from chassis.identifiers import new_id
from crm.customer.v1 import customer_events_pb2 as facts
from tests.support.plans import explained, rows_read


def _read(sea: Any, who: Any, query: str) -> Any:
    return sea.send("GET", f"/assignments/history?{query}", who)


def _moved(page: Any) -> list[tuple[str, str, Any, Any]]:
    place = lambda one: None if one is None else (one["owner"] or one["pool"])["name"]
    return [(one["customer_id"], one["cause"], place(one["from"]), place(one["to"])) for one in page["items"]]


def test_a_member_reads_what_they_got_and_lost_newest_first(sea: Any) -> None:
    people = sea.organisation
    (one, other) = [*sea.create(owner=people.sales), *sea.create()]
    sea.act("claim", people.sales, [other])
    sea.act("transfer", people.sales, [one], member_id=str(people.colleague.id))
    sea.create(owner=people.rival)

    page = _read(sea, people.sales, f"member_id={people.sales.id}").json

    assert _moved(page) == [
        (one, "transfer", "张三", "李四"),
        (other, "claim", "公海客户池", "张三"),
        (one, "birth", None, "张三"),
    ]
    assert page["next_cursor"] is None
    # What the reader no longer sees is shown by its id alone.
    assert [entry["customer_name"] for entry in page["items"]] == [None, "星河贸易", None]


def test_pages_follow_one_another_even_through_changes_of_one_moment(sea: Any) -> None:
    sales = sea.organisation.sales
    ids = sea.create(7)
    sea.act("claim", sales, ids)
    query, seen, cursor = f"member_id={sales.id}&page_size=3", [], ""

    while cursor is not None:
        page = _read(sea, sales, f"{query}&cursor={cursor}").json
        seen += [one["customer_id"] for one in page["items"]]
        cursor = page["next_cursor"]

    assert seen == sorted(ids, reverse=True)


def test_a_pool_shows_what_came_and_went_and_a_deletion_once(sea: Any) -> None:
    people, pool = sea.organisation, sea.default()
    (customer,) = sea.create(owner=people.sales)
    sea.act("release", people.sales, [customer])
    sea.report(facts.CustomerDeleted(customers=[sea.state(id=customer, facts_version=2, deleted=True)]))

    page = _read(sea, people.admin, f"pool_id={pool}").json

    name = "公海客户池"
    assert _moved(page) == [(customer, "suspend", name, name), (customer, "release", "张三", name)]
    assert _moved(_read(sea, people.admin, f"pool_id={pool}&cause=release").json) == [
        (customer, "release", "张三", name)
    ]


def test_a_period_leaves_out_other_days_of_the_organisation(sea: Any) -> None:
    sales = sea.organisation.sales
    sea.act("claim", sales, sea.create(2))
    with sea.opened.database.transaction() as session:
        session.execute(text("UPDATE assignment_history SET at = '2026-03-01T16:00:00Z'"))  # 2 March in Shanghai

    def found(first: str, last: str) -> int:
        return len(_read(sea, sales, f"member_id={sales.id}&from={first}&to={last}").json["items"])

    assert [
        found("2026-03-01", "2026-03-01"),
        found("2026-03-02", "2026-03-02"),
        found("2026-03-03", "2026-03-04"),
    ] == [0, 2, 0]


def test_members_read_their_own_history_supervisors_that_of_their_departments(sea: Any) -> None:
    people = sea.organisation

    def status(reader: Any, of: Any) -> int:
        return _read(sea, reader, f"member_id={of.id}").status_code

    assert [status(people.sales, of) for of in (people.sales, people.colleague, people.supervisor)] == [200, 404, 404]
    assert [status(people.supervisor, of) for of in (people.sales, people.rival)] == [200, 404]
    assert [status(people.admin, of) for of in (people.rival, people.supervisor)] == [200, 200]
    assert _read(sea, people.admin, f"member_id={new_id()}").status_code == 404


def test_a_pools_history_is_for_who_runs_it_and_survives_the_pool(sea: Any) -> None:
    people = sea.organisation
    pool = sea.create_pool(admin_ids=[str(people.sales.id)])
    query = f"pool_id={pool['id']}"

    def statuses() -> list[int]:
        return [
            _read(sea, who, query).status_code
            for who in (people.sales, people.colleague, people.supervisor, people.admin)
        ]

    before = statuses()
    assert sea.send("DELETE", f"/pools/{pool['id']}", people.admin, If_Match='"1"').status_code == 204

    assert before == statuses() == [200, 404, 404, 200]


# The same in every process: tests are named by it.
NOWHERE = UUID("019acb00-0000-7000-8000-0000000000ff")


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ("", "/member_id", "member_or_pool"),
        (f"member_id={NOWHERE}&pool_id={NOWHERE}", "/member_id", "member_or_pool"),
        (f"pool_id={NOWHERE}&from=2026-03-02&to=2026-03-01", "/to", "before_from"),
        (f"pool_id={NOWHERE}&from=2025-03-01&to=2026-03-02", "/from", "period_too_long"),
        (f"pool_id={NOWHERE}&cursor=abc", "/cursor", "unknown_cursor"),
        (f"pool_id={NOWHERE}&cause=theft", "/cause", "enum"),
    ],
)
def test_a_wrong_question_is_named(sea: Any, query: str, pointer: str, code: str) -> None:
    reply = _read(sea, sea.organisation.admin, query)

    assert (reply.status_code, reply.json["errors"][0]["pointer"], reply.json["errors"][0]["code"]) == (
        422,
        pointer,
        code,
    )


def test_a_page_reads_no_more_rows_than_it_shows_however_long_the_history(sea: Any) -> None:
    admin, pool, rows = sea.organisation.admin, sea.default(), 20_000
    with sea.opened.database.transaction() as session:
        # Batches of 1,000 at one moment, and as much again of another pool.
        session.execute(
            text(
                "INSERT INTO assignment_history (customer_id, version, at, cause, from_pool_id, to_owner_id)"
                " SELECT gen_random_uuid(), 2, now() - n / 1000 * INTERVAL '1 minute', 'claim',"
                " CASE WHEN n % 2 = 0 THEN CAST(:pool AS uuid) ELSE gen_random_uuid() END, gen_random_uuid()"
                " FROM generate_series(1, :rows) AS n"
            ),
            {"pool": pool, "rows": rows},
        )
    with sea.opened.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE assignment_history")
    first = _read(sea, admin, f"pool_id={pool}").json
    with explained(sea.opened.database.engine, "FROM assignment_history") as plans:
        _read(sea, admin, f"pool_id={pool}&cursor={first['next_cursor']}")

    (plan,) = plans
    assert rows_read(plan) <= 2 * 16
    assert "ix_assignment_history_from_pool_id_at" in str(plan)
