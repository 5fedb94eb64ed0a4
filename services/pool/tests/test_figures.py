"""Figures of pools: what came, went, stayed and was touched, the same at the endpoint and in the metrics."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text

from chassis import clock
from chassis.days import day_of
from crm.customer.v1 import customer_events_pb2 as facts
from tests.support.plans import explained, rows_read


def _figures(sea: Any, who: Any = None, pool: Any = None, query: str = "") -> Any:
    return sea.send("GET", f"/pools/{pool or sea.default()}/figures{query}", who or sea.organisation.admin)


def _touch(sea: Any, customer: str, at: datetime, version: int = 2) -> None:
    state = sea.state(id=customer, facts_version=version)
    state.last_touch_at.FromDatetime(at)
    sea.report(facts.CustomerUpdated(customers=[state]))


def _move_back(sea: Any, customer: str, **ago: float) -> None:
    """As if everything that happened to the customer so far had happened earlier."""
    with sea.opened.database.transaction() as session:
        session.execute(
            text("UPDATE assignment_history SET at = at - :ago WHERE customer_id = :id"),
            {"ago": timedelta(**ago), "id": customer},
        )


def test_what_comes_and_goes_is_counted_by_day_and_cause(sea: Any) -> None:
    sales, today = sea.organisation.sales, day_of(clock.now(), "Asia/Shanghai").isoformat()
    lying, claimed, released = sea.create(3)
    sea.act("claim", sales, [claimed, released])
    sea.act("release", sales, [released])

    found = _figures(sea).json

    assert found["customers"] == 2
    assert found["days"] == [{"day": today, "in": {"birth": 3, "release": 1}, "out": {"claim": 2}}]
    assert found["returns"] == {"customers": 1, "again": 1, "share_again": 1.0}
    assert _figures(sea, query="?from=2026-01-01&to=2026-01-02").json["days"] == []
    assert lying in sea.owners()


def test_a_deletion_neither_comes_nor_goes(sea: Any) -> None:
    (customer,) = sea.create()
    for version, message in ((2, facts.CustomerDeleted), (3, facts.CustomerRestored)):
        sea.report(message(customers=[sea.state(id=customer, facts_version=version, deleted=version == 2)]))

    assert [day["in"] for day in _figures(sea).json["days"]] == [{"birth": 1}]
    assert [day["out"] for day in _figures(sea).json["days"]] == [{}]


def test_the_time_in_the_pool_is_that_of_those_that_left(sea: Any) -> None:
    sales, (short, long, longer, _) = sea.organisation.sales, sea.create(4)
    for customer, days in ((short, 1), (long, 2), (longer, 9)):
        _move_back(sea, customer, days=days)
    sea.act("claim", sales, [short, long, longer])

    stays = _figures(sea).json["stays"]

    assert (stays["customers"], round(stays["average_days"], 2), round(stays["median_days"], 2)) == (3, 4.0, 2.0)


def test_hours_to_the_first_touch_and_what_was_never_touched(sea: Any) -> None:
    sales, ids = sea.organisation.sales, sea.create(3)
    sea.act("claim", sales, ids)
    for customer in ids:
        _move_back(sea, customer, hours=10)
    _touch(sea, ids[0], clock.now() - timedelta(hours=8))
    _touch(sea, ids[0], clock.now(), version=3)
    _touch(sea, ids[1], clock.now() - timedelta(hours=4))

    claims = _figures(sea).json["claims"]

    assert (claims["customers"], claims["touched"], round(claims["share_untouched"], 3)) == (3, 2, 0.333)
    assert (round(claims["average_hours"], 1), round(claims["median_hours"], 1)) == (4.0, 4.0)


def test_a_touch_counts_for_who_held_the_customer_then_however_late_it_is_told_of(sea: Any) -> None:
    people, (customer,) = sea.organisation, sea.create()
    sea.act("claim", people.sales, [customer])
    _move_back(sea, customer, hours=3)
    sea.act("release", people.sales, [customer])
    _move_back(sea, customer, hours=3)
    sea.act("claim", people.colleague, [customer])

    _touch(sea, customer, clock.now() - timedelta(hours=5))
    first = {entry.member_id: entry.first_touch_at is not None for entry in sea.ledger()}
    _touch(sea, customer, clock.now() - timedelta(hours=2), version=3)  # while it lay in the pool
    second = {entry.member_id: entry.first_touch_at is not None for entry in sea.ledger()}

    assert first == second == {people.sales.id: True, people.colleague.id: False}


def test_figures_are_for_who_runs_the_pool_or_assigns(sea: Any) -> None:
    people = sea.organisation
    pool = sea.create_pool(admin_ids=[str(people.colleague.id)], open_to_all=False, member_ids=[str(people.sales.id)])

    statuses = [
        _figures(sea, who, pool["id"]).status_code
        for who in (people.sales, people.colleague, people.rival, people.admin)
    ]

    assert statuses == [403, 200, 404, 200]
    assert _figures(sea, people.sales, pool["id"]).json["permission"] == "pool.assign"


@pytest.mark.parametrize(
    ("query", "pointer"), [("?from=2026-03-02&to=2026-03-01", "/to"), ("?from=2020-01-01", "/from")]
)
def test_a_wrong_period_is_named(sea: Any, query: str, pointer: str) -> None:
    reply = _figures(sea, query=query)

    assert (reply.status_code, reply.json["errors"][0]["pointer"]) == (422, pointer)


def test_the_metrics_say_the_same_by_kind_of_pool(sea: Any) -> None:
    sales, ids = sea.organisation.sales, sea.create(3)
    sea.act("claim", sales, ids[:2])
    sea.act("release", sales, ids[:1])
    _move_back(sea, ids[1], hours=2)
    _touch(sea, ids[1], clock.now())

    sea.run("measure-pools")

    said = lambda name, **labels: REGISTRY.get_sample_value(name, {"kind": "public", **labels})
    assert said("crm_pool_customers") == 2
    assert [said("crm_pool_moves", direction=one) for one in ("in", "out")] == [4, 2]
    assert [said("crm_pool_returns", time=one) for one in ("first", "again")] == [0, 1]
    assert [said("crm_pool_claims", state=one) for one in ("touched", "untouched")] == [1, 1]
    assert round(said("crm_pool_first_touch_hours") or 0, 1) == 2.0
    assert said("crm_pool_stay_days") is not None
    assert REGISTRY.get_sample_value("crm_pool_customers", {"kind": "prospect"}) == 0


def test_a_period_costs_what_happened_in_it_and_not_what_exists(sea: Any) -> None:
    pool = sea.default()
    with sea.opened.database.transaction() as session:
        session.execute(
            text(
                "INSERT INTO assignment_history (customer_id, version, at, cause, from_pool_id, to_owner_id)"
                " SELECT gen_random_uuid(), 2, now() - n * INTERVAL '1 hour', 'claim', CAST(:pool AS uuid),"
                " gen_random_uuid() FROM generate_series(1, 20000) AS n"
            ),
            {"pool": pool},
        )
    with sea.opened.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE assignment_history")

    with explained(sea.opened.database.engine, "from_pool_id = ANY") as plans:
        today = datetime.now(UTC).date()
        _figures(sea, query=f"?from={today - timedelta(days=2)}&to={today}")

    assert [rows_read(plan) <= 300 for plan in plans] == [True, True]
