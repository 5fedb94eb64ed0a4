"""The limits of claims, where other systems get them wrong: who they bind, what they count, what they cost."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from chassis import clock
from chassis.errors import Refusal
from crm_pool.assignments.claiming import claim_refusals
from crm_pool.assignments.queries import assignments_of
from crm_pool.assignments.rules import Cause


def _codes(reply: Any) -> list[Any]:
    return [row["code"] for row in reply.json["results"]]


def _refusals(sea: Any, member: Any, customer_id: str) -> list[Refusal]:
    with sea.opened.database.reading() as session:
        (assignment,) = assignments_of(session, [UUID(customer_id)])
        return claim_refusals(session, member.id, assignment, clock.now())


def test_what_has_just_come_into_a_pool_is_claimed_when_the_freeze_is_over(sea: Any, tomorrow: Any) -> None:
    pool, sales = sea.create_pool(freeze_days=2), sea.organisation.sales
    (one,) = sea.create(owner=sea.organisation.colleague)
    sea.act("release", sea.organisation.colleague, [one], pool_id=pool["id"])

    at_once = sea.act("claim", sales, [one])
    tomorrow(1)
    sea.report_again([one], name="改过的名称")
    edited_meanwhile = sea.act("claim", sales, [one])
    tomorrow(1)
    over = sea.act("claim", sales, [one])

    assert [(reply.status_code, reply.json["code"]) for reply in (at_once, edited_meanwhile)] == [(409, "frozen")] * 2
    came_on = (sea.history(one)[1].at + timedelta(hours=8)).date()
    assert (came_on + timedelta(days=2)).isoformat() in at_once.json["detail"]
    assert over.status_code == 200


def test_assigning_is_free_of_freeze_and_cool_down(sea: Any) -> None:
    pool, sales = sea.create_pool(freeze_days=9, cool_down_days=9), sea.organisation.sales
    (one,) = sea.create(owner=sales)
    sea.act("release", sales, [one], pool_id=pool["id"])

    assert sea.act("assign", sea.organisation.supervisor, [one], member_ids=[str(sales.id)]).status_code == 200


def test_a_pools_administrator_who_belongs_to_it_is_bound_by_every_limit(sea: Any) -> None:
    sales = sea.organisation.sales
    pool = sea.create_pool(daily_claim_quota=1, freeze_days=0, cool_down_days=3, admin_ids=[str(sales.id)])
    first, second = sea.create(2, pool=pool["id"])

    assert _codes(sea.act("claim", sales, [first, second])) == [None, "daily_quota_reached"]
    sea.act("release", sales, [first], pool_id=pool["id"])
    assert sea.act("claim", sales, [first]).json["code"] == "cooling_down"


def test_customers_assigned_and_created_use_no_quota(sea: Any) -> None:
    pool, sales = sea.create_pool(daily_claim_quota=1), sea.organisation.sales
    assigned, wanted = sea.create(2, pool=pool["id"])
    sea.create(2, owner=sales)
    sea.act("assign", sea.organisation.supervisor, [assigned], member_ids=[str(sales.id)])

    assert sea.act("claim", sales, [wanted]).status_code == 200


def test_every_owner_who_lost_a_customer_cools_down_not_only_the_last(sea: Any) -> None:
    pool = sea.create_pool(cool_down_days=5)
    first, last, (one,) = sea.organisation.sales, sea.organisation.rival, sea.create(pool=pool["id"])
    for member in (first, last):
        sea.act("claim", member, [one])
        sea.act("release", member, [one], pool_id=pool["id"])

    assert [sea.act("claim", member, [one]).json["code"] for member in (first, last)] == ["cooling_down"] * 2
    assert sea.act("claim", sea.organisation.colleague, [one]).status_code == 200


def test_whose_customer_a_supervisor_put_into_a_pool_cools_down_and_not_the_supervisor(sea: Any) -> None:
    pool, supervisor, sales = sea.create_pool(cool_down_days=5), sea.organisation.supervisor, sea.organisation.sales
    (one,) = sea.create(owner=sales)
    sea.act("release", supervisor, [one], pool_id=pool["id"])

    assert sea.history(one)[-1].from_owner_id == sales.id
    assert sea.act("claim", sales, [one]).json["code"] == "cooling_down"
    assert sea.act("claim", supervisor, [one]).status_code == 200


def test_a_batch_goes_in_the_order_given_stops_at_the_quota_and_one_refusal_stops_no_other(sea: Any) -> None:
    pool, sales = sea.create_pool(daily_claim_quota=3, cool_down_days=5), sea.organisation.sales
    lost, taken, *free = sea.create(6, pool=pool["id"])
    sea.act("claim", sales, [lost])
    sea.act("release", sales, [lost], pool_id=pool["id"])
    sea.act("claim", sea.organisation.rival, [taken])
    order = [free[3], lost, taken, free[1], free[0], free[2]]

    reply = sea.act("claim", sales, order)

    assert [row["customer_id"] for row in reply.json["results"]] == order
    assert _codes(reply) == [None, "cooling_down", "already_owned", None, "daily_quota_reached", "daily_quota_reached"]
    assert len(sea.ledger()) == 4


def test_a_claim_refused_costs_no_quota_whatever_refused_it(sea: Any) -> None:
    pool, sales = sea.create_pool(daily_claim_quota=1), sea.organisation.sales
    sea.create(1, owner=sales)
    one, two = sea.create(2, pool=pool["id"])
    sea.set_holding_cap(1)
    refused = sea.act("claim", sales, [one])
    sea.set_holding_cap(2)

    assert refused.json["code"] == "holding_cap_reached"
    assert _codes(sea.act("claim", sales, [one, two])) == [None, "daily_quota_reached"]


def test_all_reasons_why_a_claim_would_be_refused_are_told_not_only_the_first(sea: Any) -> None:
    sales = sea.organisation.sales
    pool = sea.create_pool(daily_claim_quota=1, cool_down_days=5, freeze_days=3)
    one, other = sea.create(2, pool=pool["id"])
    sea.change_pool(pool["id"], freeze_days=0)
    sea.act("claim", sales, [one])
    sea.act("release", sales, [one], pool_id=pool["id"])
    sea.change_pool(pool["id"], freeze_days=3)
    sea.create(1, owner=sales)
    sea.set_holding_cap(1)

    told = _refusals(sea, sales, one)

    assert [refusal.code for refusal in told] == [
        "frozen",
        "cooling_down",
        "daily_quota_reached",
        "holding_cap_reached",
    ]
    assert sea.act("claim", sales, [one]).json["code"] == told[0].code
    assert [refusal.code for refusal in _refusals(sea, sea.organisation.colleague, other)] == ["frozen"]


def test_who_may_not_claim_at_all_is_told_that_and_who_may_is_told_nothing(sea: Any) -> None:
    closed = sea.create_pool(open_to_all=False, department_ids=[str(sea.organisation.south)])
    (free,), (foreign,), (owned,) = (
        sea.create(),
        sea.create(pool=closed["id"]),
        sea.create(owner=sea.organisation.rival),
    )
    waiting = sea.create(pool=sea.default("to_be_assigned"))
    sea.change_role("supervisor", without="pool.claim")
    sales, supervisor = sea.organisation.sales, sea.organisation.supervisor

    def codes(member: Any, customer_id: str) -> list[str]:
        return [refusal.code for refusal in _refusals(sea, member, customer_id)]

    assert codes(sales, free) == []
    assert codes(sales, foreign) == ["not_pool_member"]
    assert codes(sales, owned) == ["already_owned"]
    assert codes(sales, waiting[0]) == ["not_claimable"]
    assert codes(supervisor, free) == ["forbidden"]


def test_a_claim_sends_few_statements_whatever_limits_it_and_as_many_for_forty_customers(sea: Any) -> None:
    sales = sea.organisation.sales
    free = sea.create(43)
    sea.act("claim", sales, free[:1])
    with sea.counting_statements() as unlimited:
        assert sea.act("claim", sales, free[1:2]).status_code == 200
    sea.change_pool(sea.default(), daily_claim_quota=100, cool_down_days=3)
    sea.set_holding_cap(100)

    with sea.counting_statements() as limited:
        assert sea.act("claim", sales, free[2:3]).status_code == 200
    with sea.counting_statements() as many:
        assert sea.act("claim", sales, free[3:]).json["succeeded"] == 40

    # Limits cost a lock and a count. A batch says besides that it ended: an event and its notice.
    assert (len(unlimited), len(limited), len(many)) == (13, 15, 16)
    assert sea.history(free[-1])[-1].cause == Cause.CLAIM


def test_a_member_reads_how_much_they_may_still_claim_and_where(sea: Any) -> None:
    sales = sea.organisation.sales
    limited = sea.create_pool(name="限领池", daily_claim_quota=3)
    sea.create_pool(name="南区池", open_to_all=False, department_ids=[str(sea.organisation.south)])
    sea.act("claim", sales, sea.create(2, pool=limited["id"]))

    unlimited = sea.send("GET", "/assignments/allowance", sales).json
    sea.set_holding_cap(5)
    sea.change_pool(limited["id"], daily_claim_quota=1)
    capped = sea.send("GET", "/assignments/allowance", sales).json

    left = [(one["pool"]["name"], one["claims_left"]) for one in unlimited["pools"]]
    assert (unlimited["room"], left) == (None, [("公海客户池", None), ("限领池", 1)])
    assert (capped["room"], capped["pools"][1]["claims_left"]) == (3, 0)
