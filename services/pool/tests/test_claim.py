"""Claiming: one owner each, the others are told who; limits count claims that succeeded."""

from datetime import timedelta
from typing import Any

import pytest

from crm.pool.v1 import pool_events_pb2 as events
from crm_pool.assignments.rules import Cause


def _rows(reply: Any) -> list[tuple[str, Any]]:
    return [(row["outcome"], row["code"]) for row in reply.json["results"]]


def test_a_claimed_customer_belongs_to_the_claimer_and_everybody_is_told(sea: Any, customer: Any) -> None:
    sales, (claimed,) = sea.organisation.sales, sea.create()

    reply = sea.act("claim", sales, [claimed])

    assert reply.json["results"] == [
        {
            "customer_id": claimed,
            "outcome": "done",
            "code": None,
            "message": None,
            "owner": {"id": str(sales.id), "name": "张三"},
        }
    ]
    assert (reply.json["batch_id"], reply.json["succeeded"], reply.json["skipped"]) == (None, 1, 0)
    message = sea.opened.outbox(events.AssignmentsChanged)[-1]
    assert (message.cause, message.actor_id, message.batch_id) == (events.CAUSE_CLAIM, str(sales.id), "")
    assert message.changes[0].previous.pool_id == str(sea.default())
    assert sea.opened.outbox(events.AssignmentBatchFinished) == []
    assert [(state.customer_id, state.version, state.place.owner_id) for state in customer.applied] == [
        (claimed, 2, str(sales.id))
    ]
    assert [(str(entry.customer_id), entry.member_id) for entry in sea.ledger()] == [(claimed, sales.id)]


def test_who_comes_second_is_told_who_was_first(sea: Any) -> None:
    (claimed,) = sea.create()
    sea.act("claim", sea.organisation.sales, [claimed])

    late = sea.act("claim", sea.organisation.rival, [claimed])

    assert (late.status_code, late.json["code"], late.json["detail"]) == (409, "already_owned", "该客户已被他人领取")
    assert late.json["owner"] == {"id": str(sea.organisation.sales.id), "name": "张三"}


def test_only_who_sees_the_pool_a_customer_was_claimed_from_learns_who_owns_it(sea: Any) -> None:
    (private,) = sea.create(owner=sea.organisation.sales)
    (waiting,) = sea.create(pool=sea.default("to_be_assigned"))
    sea.act("assign", sea.organisation.supervisor, [waiting], member_ids=[str(sea.organisation.sales.id)])

    for hidden in (private, waiting):
        assert sea.act("claim", sea.organisation.rival, [hidden]).json["code"] == "not_found"
    sea.act("release", sea.organisation.sales, [private])
    sea.act("claim", sea.organisation.colleague, [private])
    assert sea.act("claim", sea.organisation.rival, [private]).json["owner"]["name"] == "李四"


def test_a_batch_answers_row_by_row_and_collapses_repeated_ids(sea: Any) -> None:
    free, taken = sea.create(2)
    sea.act("claim", sea.organisation.rival, [taken])
    unknown = "00000000-0000-7000-8000-000000000000"

    reply = sea.act("claim", sea.organisation.sales, [free, taken, free, unknown])

    assert _rows(reply) == [("done", None), ("skipped", "already_owned"), ("skipped", "not_found")]
    assert [row["owner"] and row["owner"]["name"] for row in reply.json["results"]] == ["张三", "王五", None]
    finished = sea.opened.outbox(events.AssignmentBatchFinished)[-1]
    assert (finished.batch_id, finished.succeeded, finished.skipped) == (reply.json["batch_id"], 1, 2)
    assert [(one.member_id, one.customers) for one in finished.receivers] == [(str(sea.organisation.sales.id), 1)]
    assert sea.opened.outbox(events.AssignmentsChanged)[-1].batch_id == reply.json["batch_id"]
    assert str(sea.history(free)[-1].batch_id) == reply.json["batch_id"]


@pytest.mark.parametrize(
    ("ids", "message"), [([], "请先选择客户信息。"), (["x"], "不是有效的编号（UUID）"), (None, "必须是列表")]
)
def test_a_claim_of_nothing_or_nonsense_is_422_with_the_seeds_words(sea: Any, ids: Any, message: str) -> None:
    reply = sea.send("POST", "/assignments:claim", sea.organisation.sales, {"customer_ids": ids})

    assert (reply.status_code, reply.json["errors"][0]["message"]) == (422, message)


def test_sales_claim_only_from_public_pools_that_they_see(sea: Any) -> None:
    elsewhere = sea.create_pool(open_to_all=False, department_ids=[str(sea.organisation.south)])
    prospects = sea.create_pool(kind="prospect")
    ids = [
        *sea.create(pool=elsewhere["id"]),
        *sea.create(pool=sea.default("to_be_assigned")),
        *sea.create(pool=prospects["id"]),
    ]

    by_sales = [sea.act("claim", sea.organisation.sales, [one]) for one in ids]
    by_supervisor = sea.act("claim", sea.organisation.supervisor, ids[1:2])
    by_administrator = sea.act("claim", sea.organisation.admin, ids[:1])

    answers = [(reply.status_code, reply.json["code"]) for reply in (*by_sales, by_supervisor, by_administrator)]
    assert answers == [
        (404, "not_found"),
        (404, "not_found"),
        (404, "not_found"),
        (409, "not_claimable"),
        (409, "not_pool_member"),
    ]
    assert sea.act("claim", sea.organisation.rival, ids[:1]).status_code == 200


def test_the_daily_quota_counts_claims_made_today_and_releasing_refunds_nothing(sea: Any, tomorrow: Any) -> None:
    pool, sales = sea.create_pool(daily_claim_quota=2), sea.organisation.sales
    ids = sea.create(4, pool=pool["id"])
    elsewhere = sea.create()
    sea.act("assign", sea.organisation.supervisor, ids[3:], member_ids=[str(sales.id)])

    first = sea.act("claim", sales, ids[:3])
    sea.act("release", sales, ids[:1], pool_id=pool["id"])
    again = sea.act("claim", sales, ids[:1])
    other_pool = sea.act("claim", sales, elsewhere)
    tomorrow(1)
    next_day = sea.act("claim", sales, [ids[0], ids[2]])

    assert _rows(first) == [("done", None), ("done", None), ("skipped", "daily_quota_reached")]
    assert (again.status_code, again.json["code"]) == (409, "daily_quota_reached")
    assert other_pool.status_code == 200
    assert _rows(next_day) == [("done", None), ("done", None)]


def test_a_refused_claim_costs_no_quota(sea: Any) -> None:
    pool, sales = sea.create_pool(daily_claim_quota=1), sea.organisation.sales
    taken, free = sea.create(2, pool=pool["id"])
    sea.act("claim", sea.organisation.rival, [taken])

    reply = sea.act("claim", sales, [taken, free])

    assert _rows(reply) == [("skipped", "already_owned"), ("done", None)]


def test_the_holding_cap_bounds_claim_assign_and_transfer(sea: Any) -> None:
    sales, colleague = sea.organisation.sales, sea.organisation.colleague
    sea.create(1, owner=sales)
    (colleagues,) = sea.create(owner=colleague)
    free = sea.create(3)
    sea.set_holding_cap(2)

    claimed = sea.act("claim", sales, free[:2])
    assigned = sea.act("assign", sea.organisation.supervisor, free[1:], member_ids=[str(sales.id), str(colleague.id)])
    transferred = sea.act("transfer", colleague, [colleagues], member_id=str(sales.id))

    assert _rows(claimed) == [("done", None), ("skipped", "holding_cap_reached")]
    assert _rows(assigned) == [("done", None), ("skipped", "holding_cap_reached")]
    assert assigned.json["results"][0]["owner"]["name"] == "李四"
    assert (transferred.status_code, transferred.json["code"]) == (409, "holding_cap_reached")


def test_whoever_lost_a_customer_waits_for_the_cool_down_and_everybody_else_does_not(sea: Any, tomorrow: Any) -> None:
    pool = sea.create_pool(cool_down_days=2)
    sales, colleague, (lost,) = sea.organisation.sales, sea.organisation.colleague, sea.create(pool=pool["id"])
    for member in (sales, colleague):
        sea.act("claim", member, [lost])
        sea.act("release", member, [lost], pool_id=pool["id"])

    tomorrow(1)
    refused = [sea.act("claim", member, [lost]) for member in (sales, colleague)]
    overridden = sea.act("assign", sea.organisation.supervisor, [lost], member_ids=[str(sales.id)])
    sea.act("transfer", sales, [lost], member_id=str(sea.organisation.rival.id))
    sea.act("release", sea.organisation.rival, [lost], pool_id=pool["id"])
    tomorrow(1)
    after = sea.act("claim", colleague, [lost])

    assert [(reply.status_code, reply.json["code"]) for reply in refused] == [(409, "cooling_down")] * 2
    until = (sea.history(lost)[2].at + timedelta(hours=8, days=2)).date().isoformat()
    assert until in refused[0].json["detail"]
    assert overridden.status_code == 200
    assert after.status_code == 200


def test_a_claim_repeated_with_its_idempotency_key_has_one_effect(sea: Any, customer: Any) -> None:
    ids = sea.create(2)

    first, second = (sea.act("claim", sea.organisation.sales, ids, headers={"Idempotency_Key": "k"}) for _ in range(2))

    assert second.json == first.json
    assert second.headers["Idempotent-Replayed"] == "true"
    assert len(sea.ledger()) == len(customer.applied) == 2
    assert [entry.cause for entry in sea.history(ids[0])] == [Cause.BIRTH, Cause.CLAIM]


def test_a_claim_succeeds_while_customer_is_away(sea: Any, services: Any) -> None:
    from crm_pool.service import SERVICE

    with services.open(SERVICE, customer_grpc="127.0.0.1:1") as lonely:
        alone = type(sea)(lonely, sea.customer)
        (claimed,) = alone.create()

        reply = alone.act("claim", alone.organisation.sales, [claimed])

        assert (reply.status_code, reply.json["succeeded"]) == (200, 1)
        assert alone.owners() == {claimed: alone.organisation.sales.id}
        assert len(lonely.outbox(events.AssignmentsChanged)) == 2
