"""Undoing a merge: what nobody touched since is as before, the rest stays and is listed; all of it or nothing, ever."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from crm.customer.v1 import customer_events_pb2 as events
from services.customer.tests.merges import Merging, changed
from tests.support.statements import failing_at, statements_of


@pytest.fixture
def merging(customers: Any) -> Merging:
    """The open service with its supervisor, who merges."""
    return Merging(customers)


def _filled(merging: Merging, **loser: Any) -> tuple[Any, Any]:
    """A customer of 张三's and one of 李四's, each with a child of every kind."""
    organisation = merging.organisation
    made = []
    for member, name, fields in ((organisation.sales, "甲", {}), (organisation.colleague, "乙", loser)):
        made.append(merging.customers.create(member, name, **fields))
        merging.fill(made[-1], member=member)
    return made[0], made[1]


def _left(undone: Any) -> set[tuple[str, str]]:
    return {(one["kind"], one["code"]) for one in undone["left"]}


def test_an_undo_leaves_what_was_changed_since_and_says_so(customers: Any, merging: Merging) -> None:
    supervisor, colleague = merging.supervisor, merging.organisation.colleague
    survivor = customers.create(merging.organisation.sales, "甲")
    loser = customers.create(colleague, "乙", rating=2, remark="乙的")
    merging.fill(loser, member=colleague)
    merge = merging.merge(survivor, loser)
    assert customers.patch(supervisor, merging.read(survivor), rating=1).status_code == 200
    merging.star(survivor, supervisor, "green")
    (deal,) = merging.customers_reply("GET", f"/opportunities?customer_id={survivor['id']}&list=won")["items"]
    order = merging.done(
        "/orders", supervisor, customer_id=survivor["id"], lines=[{"name": "网关", "quantity": "1", "price": "5"}]
    )
    linked = customers.request("POST", f"/orders/{order['id']}:link", supervisor, json={"opportunity_id": deal["id"]})
    assert linked.status_code == 200, linked.text
    merging.done("/tasks", supervisor, customer_id=survivor["id"], kind="call", subject="新的")

    undone = merging.undo(merge)

    assert _left(undone) == {
        *(
            ("field", "changed_since"),
            ("star", "changed_since"),
            ("opportunity", "moved_since"),
            ("order", "moved_since"),
        )
    }
    assert [one["id"] for one in undone["left"] if one["kind"] == "field"] == ["rating"]
    assert (merging.read(survivor)["rating"], merging.read(survivor)["remark"]) == (1, None)
    assert (merging.read(loser)["rating"], merging.read(loser)["won"]) == (2, False)
    subjects = lambda one: [
        task["subject"] for task in merging.customers_reply("GET", f"/tasks?customer_id={one['id']}")["items"]
    ]
    assert (subjects(survivor), subjects(loser)) == (["新的"], ["回访"])


def test_what_was_added_to_a_record_goes_back_with_it(customers: Any, merging: Merging) -> None:
    survivor, loser = _filled(merging)
    merge = merging.merge(survivor, loser)
    colleague = str(merging.organisation.colleague.id)
    done = merging.customers_reply("GET", f"/activities?customer_id={survivor['id']}&member_id={colleague}")["items"]
    (follow_up,) = (one for one in done if one["kind"] == "follow_up")
    about = {"customer_id": survivor["id"], "about_id": follow_up["id"]}
    merging.done("/activities", kind="remark", content="之后", **about)

    merging.undo(merge)

    found = merging.customers_reply("GET", f"/activities?customer_id={loser['id']}")["items"]
    assert "之后" in [one["content"] for one in found]


def test_undone_again_the_answer_is_the_same(customers: Any, merging: Merging) -> None:
    survivor, loser = _filled(merging)
    merge = merging.merge(survivor, loser)

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: merging.undo(merge), range(2)))

    assert answers[0] == answers[1] == merging.customers_reply("GET", f"/customers/merges/{merge['id']}")
    assert answers[0]["left"] == []
    assert len(customers.outbox(events.CustomersUnmerged)) == 1


def test_a_merge_is_undone_after_those_that_came_later(customers: Any, merging: Merging) -> None:
    create, sales = customers.create, merging.organisation.sales
    first, second, third = (create(sales, name) for name in "甲乙丙")
    before = merging.tables()
    earlier = merging.merge(first, second)
    later = merging.merge(third, first)

    refused = merging.post(f"/customers/merges/{earlier['id']}:undo")

    assert (refused.status_code, refused.json["code"], refused.json["merge_id"]) == (409, "merged_on", later["id"])
    for merge in (later, earlier):
        merging.undo(merge)
    assert changed(before, merging.tables()) == {}


def test_a_merge_of_more_than_30_days_is_not_undone(customers: Any, merging: Merging) -> None:
    survivor, loser = _filled(merging)
    merge = merging.merge(survivor, loser)
    older = text("UPDATE merges SET merged_at = merged_at - CAST(:age AS interval)")
    with customers.database.transaction() as session:
        session.execute(older, {"age": timedelta(days=30, seconds=1)})

    refused = merging.post(f"/customers/merges/{merge['id']}:undo")

    assert (refused.status_code, refused.json["code"]) == (409, "merge_too_old")


def test_a_survivor_in_the_recycle_bin_gives_back_what_it_got(customers: Any, merging: Merging) -> None:
    survivor, loser = _filled(merging)
    merge = merging.merge(survivor, loser)
    headers = {"If_Match": f'"{merging.version(survivor["id"])}"'}
    path = f"/customers/{survivor['id']}"
    assert customers.request("DELETE", path, merging.organisation.sales, headers=headers).status_code == 204

    assert merging.undo(merge)["left"] == []
    assert merging.read(loser)["counters"]["tasks"] == 1


@pytest.mark.parametrize("act", ["merge", "undo"])
def test_wherever_a_process_dies_all_is_done_or_nothing(customers: Any, merging: Merging, act: str) -> None:
    survivor, loser = _filled(merging, rating=2, profile={"website": "b.cn"})
    body = merging.body(survivor, loser)
    path = "/customers:merge"
    if act == "undo":
        path, body = f"/customers/merges/{merging.done(path, **body)['id']}:undo", {}
    before = merging.tables()
    place = 0
    while True:
        with failing_at(customers.database, place) as failed:
            reply = merging.post(path, **body)
        if not failed:
            break
        assert reply.status_code >= 500
        assert changed(before, merging.tables()) == {}
        place += 1

    assert reply.status_code < 300, reply.text
    assert place > 20
    assert len(customers.outbox(events.CustomersMerged)) == 1


def test_it_takes_as_many_statements_whatever_there_is_to_move(customers: Any, merging: Merging) -> None:
    counts = []
    for children in (1, 3):
        survivor, loser = (customers.create(merging.organisation.sales, name) for name in "甲乙")
        for _ in range(children):
            merging.fill(loser)
        body = merging.body(survivor, loser)
        with statements_of(customers.database) as sent:
            merge = merging.done("/customers:merge", **body)
            merging.undo(merge)
        counts.append(len(sent))

    assert counts[0] == counts[1]


@pytest.mark.parametrize("seed", range(6))
def test_merged_and_undone_all_is_as_it_was(customers: Any, merging: Merging, seed: int) -> None:
    chance = random.Random(seed)
    organisation = merging.organisation
    members = (organisation.sales, organisation.colleague, organisation.supervisor)
    made = []
    for number in range(chance.randint(2, 4)):
        member = chance.choice(members)
        fields: dict[str, Any] = {"rating": chance.choice([None, 1, 2]), "remark": chance.choice([None, f"{number}"])}
        fields["profile"] = {
            "website": chance.choice([None, f"w{number}.cn"]),
            "employees": chance.choice([None, 5, 60]),
        }
        if made and chance.random() < 0.5:
            fields["profile"]["parent_customer_id"] = chance.choice(made)["id"]
        if chance.random() < 0.5:
            fields |= {"province": "江苏", "city": chance.choice(["南京", "无锡", None])}
        made.append(customers.create(organisation.supervisor, f"客户{number}", owner_id=str(member.id), **fields))
        merging.fill(made[-1], chance, member)
    chance.shuffle(made)
    before = merging.tables()
    chosen = {
        field: chance.choice(made)["id"] for field in ("rating", "profile.website", "city") if chance.random() < 0.5
    }

    merge = merging.merge(*made, values=chosen)
    assert merging.undo(merge)["left"] == []

    assert changed(before, merging.tables()) == {}


def test_of_two_merges_of_one_customer_one_wins(customers: Any, merging: Merging) -> None:
    sales = merging.organisation.sales
    first, second, shared = (customers.create(sales, name) for name in "甲乙丙")
    merging.fill(shared)
    bodies = [merging.body(first, shared), merging.body(second, shared)]

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda body: merging.post("/customers:merge", **body), bodies))

    assert sorted(one.status_code for one in answers) == [201, 409]
    (told,) = (one.json for one in answers if one.status_code == 409)
    assert told["code"] == "merged_into"


def test_nothing_that_is_being_added_is_left_behind(customers: Any, merging: Merging) -> None:
    survivor, loser = _filled(merging)
    path, member = f"/customers/{loser['id']}", merging.organisation.colleague
    acts = (
        lambda: merging.post("/tasks", member, customer_id=loser["id"], kind="call", subject="新"),
        lambda: merging.post(
            "/schedules", member, customer_id=loser["id"], subject="新", starts_at="2030-01-01T09:00:00Z"
        ),
        lambda: merging.post("/opportunities", member, customer_id=loser["id"], name="新"),
        lambda: merging.post("/contacts", member, customer_id=loser["id"], name="新"),
        lambda: customers.request("PUT", f"{path}/star", member, json={"color": "red"}),
        lambda: merging.post("/customers", member, name="新子公司", profile={"parent_customer_id": loser["id"]}),
    )
    body = merging.body(survivor, loser)

    with ThreadPoolExecutor(8) as pool:
        adding = [pool.submit(act) for act in (*acts, *acts)]
        merged = pool.submit(merging.post, "/customers:merge", **body)
        adding += [pool.submit(act) for act in acts]
        answers = [one.result() for one in adding]

    assert merged.result().status_code == 201, merged.result().text
    assert {one.status_code for one in answers} <= {200, 201, 204, 404, 422}
    with customers.database.reading() as session:
        for table in ("tasks", "schedule_entries", "opportunities", "customer_contacts", "contacts", "stars"):
            left = text(f"SELECT count(*) FROM {table} WHERE customer_id = :id")
            assert (table, session.scalar(left, {"id": UUID(loser["id"])})) == (table, 0)
        left = text("SELECT count(*) FROM customer_profiles WHERE parent_customer_id = :id")
        assert session.scalar(left, {"id": UUID(loser["id"])}) == 0
