"""Assign, transfer, release, move: who may, what happens, what is recorded."""

from datetime import timedelta
from typing import Any

import pytest

from chassis import clock
from chassis.identifiers import new_id
from crm.pool.v1 import pool_events_pb2 as events


def _owners(reply: Any) -> list[str]:
    return [row["owner"]["name"] for row in reply.json["results"]]


def _codes(reply: Any) -> list[Any]:
    return [row["code"] for row in reply.json["results"]]


def test_five_assignees_get_customers_in_turn_and_one_notice_each(sea: Any) -> None:
    members = [sea.hire(f"员工{number}") for number in range(5)]
    ids = sea.create(7, pool=sea.default("to_be_assigned"))
    chosen = [str(member.id) for member in members]

    reply = sea.act("assign", sea.organisation.supervisor, ids, member_ids=chosen, notify={"email": True})

    assert _owners(reply) == ["员工0", "员工1", "员工2", "员工3", "员工4", "员工0", "员工1"]
    (finished,) = sea.opened.outbox(events.AssignmentBatchFinished)
    assert {one.member_id: one.customers for one in finished.receivers} == dict(
        zip(chosen, [2, 2, 1, 1, 1], strict=True)
    )
    assert (finished.notice.in_app, finished.notice.email) == (True, True)
    assert (finished.cause, finished.batch_id) == (events.CAUSE_ASSIGN, reply.json["batch_id"])


def test_a_sixth_assignee_is_refused_in_the_agreed_words(sea: Any) -> None:
    members = [str(new_id()) for _ in range(6)]

    reply = sea.act("assign", sea.organisation.supervisor, sea.create(), member_ids=members)

    (error,) = reply.json["errors"]
    assert (reply.status_code, error["pointer"], error["message"]) == (422, "/member_ids", "最多只能选择5个跟进人")


def test_assignees_who_left_or_are_away_are_passed_over_with_the_reason(sea: Any) -> None:
    sales, colleague, rival = sea.organisation.sales, sea.organisation.colleague, sea.organisation.rival
    sea.dismiss(colleague)
    state = sea.organisation.member_state(rival, version=2)
    state.absent_until.FromDatetime(clock.now() + timedelta(days=3))
    sea.know(state)
    away = [str(colleague.id), str(rival.id)]
    ids = sea.create(3)

    reply = sea.act("assign", sea.organisation.operations, ids, member_ids=[*away, str(sales.id)])
    nobody = sea.act("assign", sea.organisation.operations, ids, member_ids=away)

    assert _owners(reply) == ["张三"] * 3
    assert [(one["member_id"], one["code"]) for one in reply.json["passed_over"]] == [
        (away[0], "assignee_inactive"),
        (away[1], "assignee_absent"),
    ]
    assert (nobody.status_code, nobody.json["code"]) == (409, "assignee_inactive")


def test_non_sales_reassign_customers_of_their_scope_and_a_turn_passes_over_the_present_owner(sea: Any) -> None:
    sales, colleague = sea.organisation.sales, sea.organisation.colleague
    ids = [*sea.create(2, owner=sales), *sea.create()]
    rivals = sea.create(owner=sea.organisation.rival)
    both = [str(sales.id), str(colleague.id)]

    reply = sea.act("assign", sea.organisation.supervisor, [*ids, *rivals], member_ids=both)
    same = sea.act("assign", sea.organisation.supervisor, ids[:1], member_ids=both[1:])

    assert [row["owner"] and row["owner"]["name"] for row in reply.json["results"]] == ["李四", "李四", "张三", None]
    assert _codes(reply) == [None, None, None, "not_found"]
    assert (same.status_code, same.json["code"]) == (409, "same_owner")


def test_the_owner_or_somebody_above_transfers_and_the_new_owner_sees_it(sea: Any) -> None:
    sales, colleague = sea.organisation.sales, sea.organisation.colleague
    by_owner, by_supervisor = sea.create(2, owner=sales)

    first = sea.act("transfer", sales, [by_owner], member_id=str(colleague.id))
    second = sea.act("transfer", sea.organisation.supervisor, [by_supervisor], member_id=str(colleague.id))
    others = [
        sea.act("transfer", member, [by_owner], member_id=str(sales.id))
        for member in (sales, sea.organisation.rival_supervisor)
    ]

    assert (first.status_code, second.status_code) == (200, 200)
    assert [(reply.status_code, reply.json["code"]) for reply in others] == [(404, "not_found")] * 2
    seen = sea.send("GET", f"/assignments/{by_owner}", colleague)
    assert (seen.json["owner"]["name"], seen.json["pool"], seen.headers["ETag"]) == ("李四", None, '"2"')
    message = sea.opened.outbox(events.AssignmentsChanged)[-2]
    assert (message.cause, message.notice.in_app, message.notice.email) == (events.CAUSE_TRANSFER, True, False)


def test_a_transfer_to_somebody_who_left_or_of_a_pool_customer_is_refused(sea: Any) -> None:
    sales, colleague = sea.organisation.sales, sea.organisation.colleague
    mine, pooled = *sea.create(owner=sales), *sea.create()
    same = sea.act("transfer", sales, [mine], member_id=str(sales.id))
    unclaimed = sea.act("transfer", sales, [pooled], member_id=str(colleague.id))
    sea.dismiss(colleague)

    left = sea.act("transfer", sales, [mine], member_id=str(colleague.id))

    assert [(one.status_code, one.json["code"]) for one in (same, unclaimed, left)] == [
        (409, "same_owner"),
        (409, "not_owned"),
        (409, "assignee_inactive"),
    ]
    assert unclaimed.json["detail"] == "请先领取客户后再操作"


def test_released_customers_lie_in_the_chosen_pool_or_the_default_one(sea: Any, customer: Any) -> None:
    sales, pool = sea.organisation.sales, sea.create_pool()
    first, second, colleagues = *sea.create(2, owner=sales), *sea.create(owner=sea.organisation.colleague)

    sea.act("release", sales, [first], pool_id=pool["id"])
    sea.act("release", sales, [second])
    again = sea.act("release", sales, [second])
    foreign = sea.act("release", sales, [colleagues])
    by_supervisor = sea.act("release", sea.organisation.supervisor, [colleagues])
    sea.act("claim", sales, [first, second])
    batch = sea.act("release", sea.organisation.supervisor, [first, second])

    assert [state.place.pool_id for state in customer.applied[:2]] == [pool["id"], str(sea.default())]
    assert (again.status_code, again.json["code"]) == (409, "already_in_pool")
    assert (foreign.status_code, foreign.json["code"]) == (404, "not_found")
    assert by_supervisor.status_code == 200
    finished = sea.opened.outbox(events.AssignmentBatchFinished)[-1]
    assert (finished.batch_id, list(finished.receivers)) == (batch.json["batch_id"], [])
    assert [(one.member_id, one.customers) for one in finished.former_owners] == [(str(sales.id), 2)]


def test_a_salesperson_cannot_put_anything_into_a_to_be_assigned_pool_or_see_what_lies_there(sea: Any) -> None:
    sales, waiting = sea.organisation.sales, str(sea.default("to_be_assigned"))
    (mine,), (hidden,) = sea.create(owner=sales), sea.create(pool=waiting)

    released = sea.act("release", sales, [mine], pool_id=waiting)

    assert (released.status_code, released.json["code"]) == (404, "pool_not_found")
    for path in ("", "/history"):
        assert sea.send("GET", f"/assignments/{hidden}{path}", sales).status_code == 404
    assert sea.send("GET", f"/assignments/{hidden}", sea.organisation.supervisor).status_code == 200


def test_confirmed_prospects_move_to_the_to_be_assigned_pool(sea: Any) -> None:
    prospects, waiting = sea.create_pool(kind="prospect"), str(sea.default("to_be_assigned"))
    ids, owned = sea.create(2, pool=prospects["id"]), sea.create(owner=sea.organisation.sales)

    moved = sea.act("move", sea.organisation.supervisor, [*ids, *owned], pool_id=waiting)
    again = sea.act("move", sea.organisation.supervisor, ids[:1], pool_id=waiting)
    nowhere = sea.act("move", sea.organisation.supervisor, ids[:1], pool_id=str(new_id()))

    assert _codes(moved) == [None, None, "not_in_pool"]
    assert (again.status_code, again.json["code"]) == (409, "same_pool")
    assert (nowhere.status_code, nowhere.json["code"]) == (404, "pool_not_found")


def test_history_names_who_when_from_and_to_newest_first(sea: Any) -> None:
    sales, (one,) = sea.organisation.sales, sea.create()
    sea.act("claim", sales, [one])
    sea.act("transfer", sales, [one], member_id=str(sea.organisation.colleague.id))
    sea.act("release", sea.organisation.supervisor, [one])

    reply = sea.send("GET", f"/assignments/{one}/history?page_size=3", sea.organisation.supervisor)
    oldest = sea.send("GET", f"/assignments/{one}/history?page_size=3&page=2", sea.organisation.sales)

    def place(view: Any) -> Any:
        return view and (view["owner"] or view["pool"])["name"]

    entries = [
        (item["version"], item["cause"], item["actor"]["name"], place(item["from"]), place(item["to"]))
        for item in reply.json["items"] + oldest.json["items"]
    ]
    assert entries == [
        (4, "release", "东区主管", "李四", "公海客户池"),
        (3, "transfer", "张三", "张三", "李四"),
        (2, "claim", "张三", "公海客户池", "张三"),
        (1, "birth", "张三", None, "公海客户池"),
    ]
    assert reply.json["total"] == 4


def test_a_large_batch_is_one_outbox_row_and_no_batch_needs_more_statements_than_another(sea: Any) -> None:
    sales, colleague = sea.organisation.sales, sea.organisation.colleague
    verbs = {
        "claim": (sales, {}),
        "transfer": (sales, {"member_id": str(colleague.id)}),
        "release": (colleague, {"pool_id": str(sea.default())}),
        "assign": (sea.organisation.supervisor, {"member_ids": [str(sales.id), str(colleague.id)]}),
    }
    sea.set_holding_cap(1000)
    sea.change_pool(sea.default(), daily_claim_quota=1000, cool_down_days=1)
    few, many = sea.create(2), sea.create(150)
    for verb, (member, body) in verbs.items():
        counts = []
        for ids in (few, many):
            with sea.counting_statements() as statements:
                assert sea.act(verb, member, ids, **body).json["succeeded"] == len(ids)
            counts.append(len(statements))

        assert counts[0] == counts[1], verb
        assert len(sea.opened.outbox(events.AssignmentsChanged)[-1].changes) == 150


@pytest.mark.parametrize("verb", ["claim", "assign", "transfer", "release", "move"])
def test_every_verb_repeats_its_reply_for_one_idempotency_key(sea: Any, verb: str) -> None:
    member, pool = sea.organisation.supervisor, sea.create_pool()
    owned = verb in ("transfer", "release")
    (one,) = sea.create(owner=sea.organisation.sales) if owned else sea.create()
    body = {
        "claim": {},
        "assign": {"member_ids": [str(member.id)]},
        "transfer": {"member_id": str(member.id)},
        "release": {"pool_id": pool["id"]},
        "move": {"pool_id": pool["id"]},
    }[verb]

    replies = [sea.act(verb, member, [one], headers={"Idempotency_Key": "once"}, **body) for _ in range(2)]

    assert [reply.status_code for reply in replies] == [200, 200]
    assert replies[0].json == replies[1].json
    assert len(sea.history(one)) == 2
