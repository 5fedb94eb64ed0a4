"""Many at once: nobody wins twice, nobody waits for ever, no limit is overrun."""

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from chassis.identifiers import new_id
from crm.pool.v1.pool_service_pb2 import NewCustomer, PlanPlacementRequest

Item = TypeVar("Item")


def _all_at_once(work: Callable[[Item], Any], items: Sequence[Item]) -> list[Any]:
    """`work` for every item at the same moment; a saturated service is asked again, as clients do."""
    barrier = threading.Barrier(len(items))

    def start(item: Item) -> Any:
        barrier.wait()
        while (reply := work(item)).status_code == 503:
            pass
        return reply

    with ThreadPoolExecutor(len(items)) as threads:
        return list(threads.map(start, items))


def test_of_fifty_claimers_of_twenty_customers_each_customer_has_exactly_one_winner(sea: Any) -> None:
    ids = sea.create(20)
    claimers = [sea.hire(f"抢客{number}") for number in range(50)]
    attempts = [(member, ids[number % 20]) for number, member in enumerate(claimers)]

    replies = _all_at_once(lambda attempt: sea.act("claim", attempt[0], [attempt[1]]), attempts)

    assert Counter(reply.status_code for reply in replies) == {200: 20, 409: 30}
    owners = sea.owners()
    names = {str(member.id): member.name for member in claimers}
    for (_, customer_id), reply in zip(attempts, replies, strict=True):
        owner_id = str(owners[customer_id])
        named = reply.json["results"][0]["owner"] if reply.status_code == 200 else reply.json["owner"]
        assert named == {"id": owner_id, "name": names[owner_id]}
    assert {str(entry.customer_id): entry.member_id for entry in sea.ledger()} == owners
    assert len(sea.ledger()) == 20
    assert {one: sea.history(one)[-1].to_owner_id for one in ids} == owners
    assert all(len(sea.history(one)) == 2 for one in ids)


def test_of_two_hundred_claimers_of_one_customer_one_wins_and_the_others_are_told_who(sea: Any) -> None:
    (wanted,) = sea.create()
    claimers = [sea.hire(f"抢客{number}") for number in range(200)]

    replies = _all_at_once(lambda member: sea.act("claim", member, [wanted]), claimers)

    (winner,) = [member for member, reply in zip(claimers, replies, strict=True) if reply.status_code == 200]
    others = [reply for reply in replies if reply.status_code != 200]
    assert {(reply.status_code, reply.json["code"]) for reply in others} == {(409, "already_owned")}
    assert all(reply.json["owner"] == {"id": str(winner.id), "name": winner.name} for reply in others)
    assert sea.owners() == {wanted: winner.id}
    assert [(entry.member_id, entry.version) for entry in sea.ledger()] == [(winner.id, 2)]
    assert len(sea.history(wanted)) == 2


def test_a_claim_a_release_a_run_and_an_assignment_of_the_same_customers_leave_one_history(sea: Any) -> None:
    sea.put_in_force(sea.default())
    sales, rival, supervisor = sea.organisation.sales, sea.organisation.rival, sea.organisation.supervisor
    ids = sea.own(12, sales)
    sea.expire(ids)
    released, kept = ids[:6], ids[6:]
    work: list[Callable[[], Any]] = [
        lambda: sea.act("release", sales, released),
        lambda: sea.act("claim", rival, ids),
        lambda: sea.act("assign", supervisor, kept, member_ids=[str(sea.organisation.colleague.id)]),
        lambda: sea.act("claim", rival, ids[::-1]),
        lambda: _run_done(sea),
    ]

    replies = _all_at_once(lambda act: act(), work)

    assert [reply.status_code for reply in replies] == [200] * 5
    for one in ids:
        entries = sea.history(one)
        assert [entry.version for entry in entries] == sorted({entry.version for entry in entries})
        for before, after in itertools.pairwise(entries):
            assert (after.from_owner_id, after.from_pool_id) == (before.to_owner_id, before.to_pool_id)
        assert sea.owners()[one] == entries[-1].to_owner_id


@dataclass
class _Done:
    status_code: int = 200


def _run_done(sea: Any) -> _Done:
    sea.recycle()
    return _Done()


def test_overlapping_batches_in_opposite_orders_never_deadlock_nor_share_a_customer(sea: Any) -> None:
    ids = sea.create(50)
    batches = [
        (member, order)
        for _ in range(6)
        for member, order in ((sea.organisation.sales, ids), (sea.organisation.rival, ids[::-1]))
    ]

    replies = _all_at_once(lambda batch: sea.act("claim", batch[0], batch[1]), batches)

    assert all(reply.status_code == 200 for reply in replies)
    assert sum(reply.json["succeeded"] for reply in replies) == 50
    assert len(sea.ledger()) == 50
    assert None not in sea.owners().values()


def test_verbs_that_cross_each_other_leave_one_history_without_gaps(sea: Any) -> None:
    sea.set_holding_cap(100)
    sales, colleague, supervisor = sea.organisation.sales, sea.organisation.colleague, sea.organisation.supervisor
    ids = sea.create(20)
    both = [str(sales.id), str(colleague.id)]
    work = [
        lambda: sea.act("claim", sales, ids),
        lambda: sea.act("claim", colleague, ids[::-1]),
        lambda: sea.act("assign", supervisor, ids, member_ids=both),
        lambda: sea.act("assign", supervisor, ids[::-1], member_ids=both[::-1]),
        lambda: sea.act("release", supervisor, ids[::2], pool_id=str(sea.default())),
        lambda: sea.act("transfer", supervisor, ids[::-2], member_id=both[0]),
    ]

    replies = _all_at_once(lambda act: act(), work)

    assert all(reply.status_code == 200 for reply in replies)
    for one in ids:
        entries = sea.history(one)
        assert [entry.version for entry in entries] == [*range(1, len(entries) + 1)]
        for before, after in itertools.pairwise(entries):
            assert (after.from_owner_id, after.from_pool_id) == (before.to_owner_id, before.to_pool_id)


def test_a_quota_and_a_cap_hold_however_many_claims_a_member_sends_at_once(sea: Any) -> None:
    quota_pool = sea.create_pool(daily_claim_quota=3)
    limited, capped = sea.create(10, pool=quota_pool["id"]), sea.create(10)
    sales, colleague = sea.organisation.sales, sea.organisation.colleague

    by_quota = _all_at_once(lambda one: sea.act("claim", sales, [one]), limited)
    sea.set_holding_cap(4)
    by_cap = _all_at_once(lambda one: sea.act("claim", colleague, [one]), capped)

    assert Counter(reply.status_code for reply in by_quota) == {200: 3, 409: 7}
    assert Counter(reply.status_code for reply in by_cap) == {200: 4, 409: 6}
    assert {reply.json["code"] for reply in by_quota if reply.status_code == 409} == {"daily_quota_reached"}
    assert Counter(sea.owners().values()) == {sales.id: 3, colleague.id: 4, None: 13}


def test_neither_quota_nor_cap_is_exceeded_by_sixty_four_claims_of_one_member_at_once(sea: Any) -> None:
    pool, sales, colleague = sea.create_pool(daily_claim_quota=7), sea.organisation.sales, sea.organisation.colleague
    limited, capped = sea.create(64, pool=pool["id"]), sea.create(64)
    cap = {"cap": 5, "member_id": str(colleague.id)}
    assert sea.send("POST", "/pools/caps", sea.organisation.admin, cap).status_code == 201

    by_quota = _all_at_once(lambda one: sea.act("claim", sales, [one]), limited)
    by_cap = _all_at_once(lambda one: sea.act("claim", colleague, [one]), capped)

    assert Counter(reply.status_code for reply in by_quota) == {200: 7, 409: 57}
    assert Counter(reply.status_code for reply in by_cap) == {200: 5, 409: 59}
    assert Counter(entry.member_id for entry in sea.ledger()) == {sales.id: 7, colleague.id: 5}
    assert Counter(sea.owners().values()) == {sales.id: 7, colleague.id: 5, None: 116}


def test_an_import_chunk_planned_twice_at_once_has_one_plan(sea: Any, rpc: Any) -> None:
    states = [sea.state(owner=sea.organisation.sales) for _ in range(20)]
    request = PlanPlacementRequest(
        placement_id=str(new_id()),
        actor_id=str(sea.organisation.sales.id),
        customers=[NewCustomer(customer_id=state.id, wish=state.wish, name=state.name) for state in states],
    )
    barrier = threading.Barrier(4)

    def plan(_number: int) -> Any:
        barrier.wait()
        return rpc.PlanPlacement(request).placements

    with ThreadPoolExecutor(4) as threads:
        plans = list(threads.map(plan, range(4)))

    assert all(one == plans[0] for one in plans)
    assert [one.assignment.customer_id for one in plans[0]] == [state.id for state in states]


def test_a_pool_deleted_while_customers_go_in_either_stays_or_gets_none(sea: Any) -> None:
    for _ in range(5):
        pool = sea.create_pool()
        (one,) = sea.create(owner=sea.organisation.sales)
        path = f"/pools/{pool['id']}"
        work = [
            lambda one=one, pool=pool: sea.act("release", sea.organisation.sales, [one], pool_id=pool["id"]),
            lambda path=path: sea.send("DELETE", path, sea.organisation.admin, If_Match='"1"'),
        ]

        released, deleted = _all_at_once(lambda act: act(), work)

        assert (released.status_code, deleted.status_code) in [(200, 409), (404, 204)]
