"""Signals that somebody hoards customers: rings of release and claim, and claims that nobody contacted."""

from datetime import timedelta
from typing import Any

from sqlalchemy import text

from chassis import clock
from crm.customer.v1 import customer_events_pb2 as facts
from tests.support.plans import explained, rows_read


def _signals(sea: Any, who: Any, query: str = "") -> list[tuple[str, str, int, int, Any]]:
    page = sea.send("GET", f"/pools/signals{query}", who).json
    return [
        (one["kind"], one["member"]["name"], one["customers"], one["occasions"], one["claims"]) for one in page["items"]
    ]


def _days_pass(sea: Any, days: int) -> None:
    """As if everything so far had happened so many days earlier."""
    with sea.opened.database.transaction() as session:
        for statement in (
            "UPDATE assignment_history SET at = at - :ago",
            "UPDATE claim_ledger SET day = day - CAST(:ago AS interval)",
        ):
            session.execute(text(statement), {"ago": timedelta(days=days)})


def test_a_customer_given_up_and_claimed_again_is_a_ring_whoever_held_it_meanwhile(sea: Any) -> None:
    people, (alone, through) = sea.organisation, sea.create(2, owner=sea.organisation.sales)
    sea.act("release", people.sales, [alone, through])
    sea.act("claim", people.sales, [alone])
    sea.act("claim", people.colleague, [through])
    sea.act("transfer", people.colleague, [through], member_id=str(people.sales.id))

    [ring] = sea.send("GET", "/pools/signals", people.supervisor).json["items"]

    assert (ring["kind"], ring["member"]["name"], ring["customers"], ring["occasions"]) == ("ring", "张三", 2, 2)
    assert {one["id"] for one in ring["latest"]} == {alone, through}
    assert {one["name"] for one in ring["latest"]} == {"星河贸易"}


def test_what_others_took_or_gave_is_no_ring(sea: Any) -> None:
    people, (taken, given, lent, undone, other) = sea.organisation, sea.create(5, owner=sea.organisation.sales)
    # A supervisor released it, a supervisor assigned it, it was only lent, the release was undone.
    sea.act("release", people.supervisor, [taken])
    sea.act("release", people.sales, [given])
    sea.act("claim", people.sales, [taken])
    sea.act("assign", people.supervisor, [given], member_ids=[str(people.sales.id)])
    sea.act("transfer", people.sales, [lent], member_id=str(people.colleague.id))
    sea.act("transfer", people.colleague, [lent], member_id=str(people.sales.id))
    batch = sea.act("release", people.sales, [undone, other]).json["batch_id"]
    sea.send("POST", f"/releases/{batch}:undo", people.sales)
    sea.finish()

    assert set(sea.owners().values()) == {people.sales.id}
    assert _signals(sea, people.admin) == []


def test_a_ring_of_long_ago_or_that_took_long_is_none(sea: Any) -> None:
    people, (slow, old) = sea.organisation, sea.create(2, owner=sea.organisation.sales)
    sea.act("release", people.sales, [old])
    sea.act("claim", people.sales, [old])
    sea.act("release", people.sales, [slow])
    _days_pass(sea, 31)
    sea.act("claim", people.sales, [slow])

    assert _signals(sea, people.admin, "?kind=ring") == []


def test_claims_that_nobody_contacted_for_a_week_are_counted_among_all_claims(sea: Any) -> None:
    people, ids = sea.organisation, sea.create(4)
    sea.act("claim", people.sales, ids[:3])
    _days_pass(sea, 7)
    sea.act("claim", people.sales, ids[3:])  # of today: nothing can be said yet
    touched = sea.state(id=ids[0], facts_version=2)
    touched.last_touch_at.FromDatetime(clock.now() - timedelta(days=6))
    sea.report(facts.CustomerUpdated(customers=[touched]))

    assert _signals(sea, people.supervisor) == [("untouched", "张三", 2, 2, 3)]


def test_supervisors_read_of_their_departments_alone_and_sales_of_nobody(sea: Any) -> None:
    people = sea.organisation
    for member in (people.sales, people.rival):
        ids = sea.create(2)
        sea.act("claim", member, ids)
    _days_pass(sea, 8)

    def told(who: Any) -> list[str]:
        return sorted(name for _, name, *_ in _signals(sea, who))

    assert told(people.supervisor) == ["张三"]
    assert told(people.operations) == told(people.admin) == sorted(["张三", people.rival.name])
    assert sea.send("GET", "/pools/signals", people.sales).status_code == 403
    assert _signals(sea, people.admin, "?page_size=1&page=2&kind=untouched") == _signals(sea, people.admin)[1:]


def test_the_window_bounds_what_is_read(sea: Any) -> None:
    people = sea.organisation
    with sea.opened.database.transaction() as session:
        session.execute(
            text(
                "INSERT INTO assignment_history (customer_id, version, at, cause, from_pool_id, to_owner_id)"
                " SELECT gen_random_uuid(), 2, now() - n * INTERVAL '1 hour', 'claim', gen_random_uuid(),"
                " CAST(:sales AS uuid) FROM generate_series(1, 20000) AS n"
            ),
            {"sales": people.sales.id},
        )
    with sea.opened.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE assignment_history")

    with explained(sea.opened.database.engine, "AS rings") as plans:
        _signals(sea, people.supervisor)

    (plan,) = plans
    assert rows_read(plan) < 2_000
