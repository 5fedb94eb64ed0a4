"""What a leaver owns is given evenly, by region or to a pool: seen before, done as a batch, undone as a release."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event

from chassis import clock
from chassis.audit import audit_of
from chassis.identifiers import new_id
from crm.pool.v1 import pool_events_pb2 as events
from crm_pool.assignments.model import AssignmentRow
from crm_pool.assignments.records import Release
from crm_pool.leaving.model import Leaver, Share


def _send(sea: Any, verb: str, member: Any = None, by: Any = None, **body: Any) -> Any:
    leaver = member or sea.organisation.sales
    path = f"/assignments/leavers/{leaver.id}:{verb}"
    return sea.send("POST", path, by or sea.organisation.admin, body)


def _evenly(*members: Any) -> dict[str, Any]:
    return {"how": "evenly", "member_ids": [str(member.id) for member in members]}


def _shares(reply: Any) -> dict[str, int]:
    return {(one["member"] or one["pool"])["name"]: one["customers"] for one in reply.json["shares"]}


def _counted(sea: Any) -> dict[Any, int]:
    return dict(Counter(sea.owners().values()))


def _items(sea: Any, reply: Any) -> dict[str, tuple[str, str]]:
    path = f"/assignments/batches/{reply.json['id']}/items?page_size=200"
    found = sea.send("GET", path, sea.organisation.admin).json["items"]
    return {one["item_id"]: (one["outcome"], one["code"]) for one in found}


def test_a_plan_says_who_would_get_how_many_and_changes_nothing(sea: Any) -> None:
    people = sea.organisation
    sea.create(5, owner=people.sales)
    sea.leave(people.sales)
    owners = sea.owners()

    plan = _send(sea, "plan", **_evenly(people.colleague, people.rival))

    assert (plan.status_code, plan.json["customers"], _shares(plan)) == (200, 5, {"李四": 3, "王五": 2})
    assert (plan.json["redirected"], plan.json["staying"], plan.json["passed_over"]) == ([], [], [])
    assert sea.owners() == owners
    assert sea.rows(Release) == []


def test_customers_are_given_evenly_as_the_plan_said_and_the_receivers_and_customer_are_told(
    sea: Any, customer: Any
) -> None:
    people = sea.organisation
    ids = sea.create(5, owner=people.sales)
    sea.leave(people.sales)

    reply = _send(sea, "share", **_evenly(people.colleague, people.rival))
    sea.finish()

    assert (reply.status_code, reply.json["status"], reply.json["total"]) == (202, "running", 5)
    assert _counted(sea) == {people.colleague.id: 3, people.rival.id: 2}
    entry = sea.history(ids[0])[-1]
    assert (entry.cause, entry.actor_id, entry.from_owner_id) == ("handover", people.admin.id, people.sales.id)
    assert entry.effects.following is not None
    assert {one.customer_id for one in customer.applied} == set(ids)
    [finished] = sea.opened.outbox(events.AssignmentBatchFinished)
    assert (finished.cause, finished.succeeded, finished.notice.in_app) == (events.CAUSE_HANDOVER, 5, True)
    assert {UUID(one.member_id): one.customers for one in finished.receivers} == _counted(sea)
    assert sea.send("GET", "/assignments/leavers", people.admin).json["items"] == []


def test_it_is_one_release_that_is_undone_as_a_whole(sea: Any) -> None:
    people = sea.organisation
    ids = sea.create(4, owner=people.sales)
    sea.leave(people.sales)
    batch = _send(sea, "share", by=people.supervisor, **_evenly(people.colleague)).json
    sea.finish()
    sea.act("transfer", people.colleague, ids[:1], member_id=str(people.rival.id))
    release = sea.send("GET", f"/releases/{batch['id']}", people.supervisor).json
    items = sea.send("GET", f"/releases/{batch['id']}/items", people.supervisor).json["items"]

    undone = sea.send("POST", f"/releases/{batch['id']}:undo", people.supervisor)
    sea.finish()

    assert (release["customers"], release["former_owner"]["name"], release["pool"]) == (4, "张三", None)
    assert [one["untouched"] for one in items] == [one["customer_id"] != ids[0] for one in items]
    assert undone.status_code == 202
    assert sea.owners() == {ids[0]: people.rival.id, **dict.fromkeys(ids[1:], people.sales.id)}
    after = sea.send("GET", f"/releases/{batch['id']}", people.supervisor).json["undo"]
    assert (after["returned"], after["not_returned"]) == (3, 1)
    last = sea.opened.outbox(events.AssignmentBatchFinished)[-1]
    assert [(one.member_id, one.customers) for one in last.former_owners] == [(str(people.colleague.id), 3)]
    [listed] = sea.send("GET", "/assignments/leavers", people.supervisor).json["items"]
    assert listed["customers"] == 3


def test_a_day_that_moved_since_does_not_keep_a_customer_from_going_back(sea: Any) -> None:
    people = sea.organisation
    sea.put_in_force(sea.default())
    ids = sea.create(2, owner=people.sales)
    sea.leave(people.sales)
    batch = _send(sea, "share", **_evenly(people.colleague)).json
    sea.finish()
    sea.report_again(ids[:1], owner=people.colleague, last_touch_at=clock.now() + timedelta(days=1))
    assert sorted(one.version for one in sea.rows(AssignmentRow)) == [2, 3]

    sea.send("POST", f"/releases/{batch['id']}:undo", people.admin)
    sea.finish()

    assert set(sea.owners().values()) == {people.sales.id}


def test_by_region_each_customer_goes_to_the_first_region_it_lies_in_and_the_rest_as_said(
    sea: Any, customer: Any
) -> None:
    people = sea.organisation
    hangzhou, ningbo, nanjing, elsewhere = sea.create(4, owner=people.sales)
    customer.lying.update(
        {("浙江省", "杭州市"): [hangzhou], ("浙江省", "宁波市"): [ningbo], ("江苏省", "南京市"): [nanjing]}
    )
    sea.leave(people.sales)
    body = {
        "how": "by_region",
        "regions": [
            {"province": "浙江省", "city": "杭州市", "member_id": str(people.colleague.id)},
            {"province": "浙江省", "member_id": str(people.rival.id)},
            {"province": "江苏省", "member_id": str(people.colleague.id)},
        ],
        "rest": {"member_id": str(people.supervisor.id)},
    }

    plan = _send(sea, "plan", **body)
    _send(sea, "share", **body)
    kept = len(sea.rows(Share))
    sea.finish()

    assert _shares(plan) == {"李四": 2, "王五": 1, "东区主管": 1}
    assert sea.owners() == {
        hangzhou: people.colleague.id,
        ningbo: people.rival.id,
        nanjing: people.colleague.id,
        elsewhere: people.supervisor.id,
    }
    assert {one.selection.filter.owner_id for one in customer.asked} == {str(people.sales.id)}
    assert (kept, sea.rows(Share)) == (4, [])


def test_what_lies_in_no_region_goes_to_the_pool_named_or_to_be_assigned(sea: Any, customer: Any) -> None:
    people = sea.organisation
    pool = sea.create_pool(name="外省公海")
    here, elsewhere = sea.create(2, owner=people.sales)
    customer.lying["浙江省", "杭州市"] = [here]
    sea.leave(people.sales)
    body = {"how": "by_region", "regions": [{"province": "浙江省", "member_id": str(people.colleague.id)}]}

    to_be_assigned = _send(sea, "plan", **body)
    named = _send(sea, "plan", **body, rest={"pool_id": pool["id"]})
    _send(sea, "share", **body, rest={"pool_id": pool["id"]})
    sea.finish()

    assert list(_shares(to_be_assigned).values()) == [1, 1]
    assert "外省公海" not in _shares(to_be_assigned)
    assert _shares(named) == {"李四": 1, "外省公海": 1}
    assert sea.owners() == {here: people.colleague.id, elsewhere: None}
    assert str(sea.history(elsewhere)[-1].to_pool_id) == pool["id"]


def test_to_a_pool_or_without_one_to_the_departments_to_be_assigned_pool(sea: Any) -> None:
    people = sea.organisation
    pool = sea.create_pool()
    (first,), (second,) = sea.create(owner=people.sales), sea.create(owner=people.colleague)
    sea.leave(people.sales, people.colleague)

    _send(sea, "share", how="to_pool", pool_id=pool["id"])
    _send(sea, "share", people.colleague, how="to_pool")
    sea.finish()

    assert [str(sea.history(id_)[-1].to_pool_id) for id_ in (first, second)] == [
        pool["id"],
        str(sea.default("to_be_assigned")),
    ]


def test_what_a_receiver_may_not_hold_goes_to_the_pool_and_is_listed(sea: Any) -> None:
    people = sea.organisation
    sea.set_holding_cap(2)
    sea.create(owner=people.colleague)
    sea.set_holding_cap(None)
    ids = sea.create(4, owner=people.sales)
    sea.set_holding_cap(2)
    sea.leave(people.sales)
    body = _evenly(people.colleague, people.rival)

    plan, reply = _send(sea, "plan", **body), _send(sea, "share", **body)
    sea.finish()

    assert _counted(sea) == {people.colleague.id: 2, people.rival.id: 2, None: 1}
    assert [(one["code"], one["customers"]) for one in plan.json["redirected"]] == [("in_pool_over_cap", 1)]
    assert Counter(_items(sea, reply)[id_] for id_ in ids) == {("done", ""): 3, ("done", "in_pool_over_cap"): 1}
    release = sea.send("GET", f"/releases/{reply.json['id']}", people.admin).json
    assert (release["customers"], release["pool"]["id"]) == (4, str(sea.default("to_be_assigned")))


def test_wecom_friends_stay_unless_a_receiver_works_on_them(sea: Any) -> None:
    people = sea.organisation
    works_on, friend, other = sea.create(3, owner=people.sales)
    friends = {"owner": people.sales, "wecom_friend": True}
    sea.report_again([works_on], collaborator_ids=[str(people.rival.id)], **friends)
    sea.report_again([friend], **friends)
    sea.leave(people.sales)
    body = _evenly(people.colleague, people.rival)

    plan, reply = _send(sea, "plan", **body), _send(sea, "share", **body)
    sea.finish()

    owners = sea.owners()
    assert (owners[works_on], owners[friend]) == (people.rival.id, people.sales.id)
    assert owners[other] in (people.colleague.id, people.rival.id)
    codes = [(one["code"], one["customers"]) for one in plan.json["staying"]]
    assert codes == [("wecom_friend_only_collaborators", 1)]
    assert _items(sea, reply)[friend] == ("skipped", "wecom_friend_only_collaborators")
    to_pool = _send(sea, "plan", how="to_pool")
    assert [one["code"] for one in to_pool.json["staying"]] == ["wecom_friend_protected"]


def test_facts_are_confirmed_before_and_while_customer_is_away_the_batch_waits(sea: Any, customer: Any) -> None:
    people = sea.organisation
    (id_,) = sea.create(owner=people.sales)
    sea.leave(people.sales)
    customer.away = True
    _send(sea, "share", how="to_pool")
    assert sea.work() is False
    assert sea.owners() == {id_: people.sales.id}

    customer.away = False
    customer.states = [sea.state(id=id_, facts_version=9, owner=people.sales, wecom_friend=True)]
    sea.finish()

    assert sea.owners() == {id_: people.sales.id}


def test_a_receiver_who_leaves_meanwhile_gets_nothing_and_the_others_get_more(sea: Any, customer: Any) -> None:
    people = sea.organisation
    ids = sea.create(4, owner=people.sales)
    customer.lying["浙江省", ""] = ids[:2]
    sea.leave(people.sales)
    gone = sea.hire("gone")
    body = {
        "how": "by_region",
        "regions": [{"province": "浙江省", "member_id": str(gone.id)}],
        "rest": {"member_id": str(people.colleague.id)},
    }
    reply = _send(sea, "share", **body)
    sea.dismiss(gone)

    sea.finish()

    assert _counted(sea) == {None: 2, people.colleague.id: 2}
    assert Counter(_items(sea, reply).values()) == {("done", ""): 2, ("done", "in_pool_receiver_away"): 2}


def test_absent_receivers_and_those_out_of_reach_are_passed_over(sea: Any) -> None:
    people = sea.organisation
    sea.create(2, owner=people.sales)
    sea.leave(people.sales)

    plan = _send(sea, "plan", by=people.supervisor, **_evenly(people.rival, people.colleague))
    nobody = _send(sea, "share", by=people.supervisor, **_evenly(people.rival))

    assert [(one["member_id"], one["code"]) for one in plan.json["passed_over"]] == [
        (str(people.rival.id), "owner_out_of_reach")
    ]
    assert _shares(plan) == {"李四": 2}
    assert (nobody.status_code, nobody.json["code"]) == (409, "owner_out_of_reach")
    assert sea.rows(Leaver)[0].sharing_batch_id is None


def test_while_it_runs_the_day_waits_and_nobody_begins_another(sea: Any) -> None:
    people = sea.organisation
    sea.create(3, owner=people.sales)
    sea.leave(people.sales, days_ago=8)
    batch = _send(sea, "share", **_evenly(people.colleague)).json

    sea.hand_over()
    another = _send(sea, "share", how="to_pool")
    assert set(sea.owners().values()) == {people.sales.id}
    assert (another.status_code, another.json["code"]) == (409, "sharing_under_way")

    assert sea.send("POST", f"/assignments/batches/{batch['id']}:cancel", people.admin).status_code == 200
    sea.finish()
    sea.hand_over()

    assert set(sea.owners().values()) == {None}


def test_whoever_comes_back_meanwhile_keeps_the_customers(sea: Any) -> None:
    people = sea.organisation
    (id_,) = sea.create(owner=people.sales)
    sea.leave(people.sales)
    reply = _send(sea, "share", **_evenly(people.colleague))
    sea.come_back(people.sales)

    sea.finish()

    assert sea.owners() == {id_: people.sales.id}
    assert _items(sea, reply) == {id_: ("skipped", "leaver_back")}
    assert sea.rows(Release) == []


def test_a_worker_that_dies_half_way_is_taken_over_and_nothing_moves_twice(sea: Any) -> None:
    people = sea.organisation
    ids = sea.create(201, owner=people.sales)
    sea.leave(people.sales)
    _send(sea, "share", **_evenly(people.colleague, people.rival))
    sea.work()
    half = _counted(sea)

    def break_down(*_event: Any) -> None:
        raise KeyboardInterrupt

    event.listen(sea.opened.database.engine, "commit", break_down)
    with pytest.raises(KeyboardInterrupt):
        sea.work()
    event.remove(sea.opened.database.engine, "commit", break_down)
    sea.finish()

    assert half == {people.colleague.id: 100, people.rival.id: 100, people.sales.id: 1}
    assert sorted(_counted(sea).values()) == [100, 101]
    assert {len(sea.history(id_)) for id_ in ids[:3]} == {2}


def test_what_changed_hands_meanwhile_is_left_where_it_is(sea: Any) -> None:
    people = sea.organisation
    (id_,) = sea.create(owner=people.sales)
    sea.leave(people.sales)
    reply = _send(sea, "share", **_evenly(people.colleague))
    sea.act("assign", people.admin, [id_], member_ids=[str(people.rival.id)])

    sea.finish()

    assert sea.owners() == {id_: people.rival.id}
    assert _items(sea, reply) == {id_: ("skipped", "no_longer_theirs")}


@pytest.mark.parametrize("code", ["forbidden", "not_found"])
def test_whoever_lost_the_right_or_the_sight_meanwhile_hands_over_nothing(sea: Any, code: str) -> None:
    people = sea.organisation
    (id_,) = sea.create(owner=people.sales)
    sea.leave(people.sales)
    reply = _send(sea, "share", by=people.supervisor, **_evenly(people.colleague))
    if code == "forbidden":
        sea.change_role("supervisor", without="pool.assign")
    else:
        moved = replace(people.supervisor, department_id=people.south)
        sea.know(people.member_state(moved, version=2))

    sea.finish()

    assert sea.owners() == {id_: people.sales.id}
    assert _items(sea, reply) == {id_: ("skipped", code)}


def test_a_repeated_request_shares_once_and_the_audit_says_how(sea: Any) -> None:
    people = sea.organisation
    sea.create(2, owner=people.sales)
    sea.leave(people.sales)
    path = f"/assignments/leavers/{people.sales.id}:share"
    body = _evenly(people.colleague)
    replies = [sea.send("POST", path, people.admin, body, Idempotency_Key="k") for _ in range(2)]

    assert replies[0].json == replies[1].json
    with sea.opened.database.reading() as session:
        [entry] = audit_of(session, "member", people.sales.id)
    assert (entry.action, entry.actor_id, entry.after["customers"]) == ("leaver.shared", people.admin.id, 2)


@pytest.mark.parametrize("verb", ["plan", "share"])
def test_only_leavers_in_sight_are_shared(sea: Any, verb: str) -> None:
    people = sea.organisation
    sea.create(owner=people.rival)
    sea.create(owner=people.sales)
    sea.leave(people.rival)
    stays = _send(sea, verb, people.sales, **_evenly(people.colleague))
    unseen = _send(sea, verb, people.rival, by=people.supervisor, **_evenly(people.colleague))

    assert (stays.status_code, unseen.status_code) == (404, 404)


@pytest.mark.parametrize(
    "body",
    [
        {"how": "evenly"},
        {"how": "evenly", "member_ids": []},
        {"how": "evenly", "member_ids": ["019acb00-0000-7000-8000-000000000001"], "rest": {}},
        {"how": "by_region"},
        {"how": "to_pool", "member_ids": ["019acb00-0000-7000-8000-000000000001"]},
        {"how": "by_size"},
        {"how": "by_region", "regions": [{"province": "", "member_id": "019acb00-0000-7000-8000-000000000001"}]},
    ],
)
def test_a_way_of_sharing_takes_what_belongs_to_it(sea: Any, body: Any) -> None:
    sea.create(owner=sea.organisation.sales)
    sea.leave(sea.organisation.sales)

    assert _send(sea, "share", **body).status_code == 422


def test_what_customer_does_not_know_is_named_where_it_was_written_and_while_it_is_away_nothing_begins(
    sea: Any, customer: Any
) -> None:
    people = sea.organisation
    sea.create(owner=people.sales)
    sea.leave(people.sales)
    customer.lying["浙江省", ""] = []
    regions = [{"province": name, "member_id": str(people.colleague.id)} for name in ("浙江省", "桃花岛")]

    unknown = _send(sea, "share", how="by_region", regions=regions)
    customer.away = True
    away = _send(sea, "share", how="by_region", regions=regions)

    assert [(one["pointer"], one["code"]) for one in unknown.json["errors"]] == [
        ("/regions/1/province", "unknown_option")
    ]
    assert (unknown.status_code, away.status_code, sea.rows(Leaver)[0].sharing_batch_id) == (422, 503, None)


def test_a_pool_out_of_sight_is_not_found(sea: Any) -> None:
    sea.create(owner=sea.organisation.sales)
    sea.leave(sea.organisation.sales)

    reply = _send(sea, "plan", how="to_pool", pool_id=str(new_id()))

    assert (reply.status_code, reply.json["code"]) == (404, "pool_not_found")
