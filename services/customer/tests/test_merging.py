"""Merging customers: everything that belongs to the losers is the survivor's, once."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Uuid, text

from chassis.identifiers import new_id
from crm.common.v1.place_pb2 import Place
from crm.customer.v1 import customer_events_pb2 as events
from crm_customer.database import Base
from crm_customer.merging.children import CHILDREN, LINKS, STAYS
from services.customer.tests.merges import Merging, changed

NANJING, WUXI = {"province": "江苏", "city": "南京"}, {"province": "江苏", "city": "无锡"}


@pytest.fixture
def merging(customers: Any) -> Merging:
    """The open service with its supervisor, who merges."""
    return Merging(customers)


def _two(merging: Merging, **loser: Any) -> tuple[Any, Any]:
    """A customer of 张三's and one of 李四's."""
    create, organisation = merging.customers.create, merging.organisation
    return create(organisation.sales, "甲"), create(organisation.colleague, "乙", **loser)


def _code(reply: Any) -> tuple[int, str, list[Any]]:
    errors = [(one["pointer"], one["code"]) for one in reply.json.get("errors", [])]
    return reply.status_code, reply.json["code"], errors


def test_everything_moves_once(customers: Any, merging: Merging) -> None:
    survivor, loser = _two(merging)
    for customer, member in ((survivor, merging.organisation.sales), (loser, merging.organisation.colleague)):
        merging.fill(customer, member=member)
    parent, contact = merging.read(loser), merging.read(survivor)["contact"]

    merge = merging.merge(survivor, loser)

    assert merge["moved"] == [
        {"kind": kind, "count": count}
        for kind, count in (
            *(("activity", 2), ("child", 1), ("contact", 1), ("main_contact", 1), ("opportunity", 1), ("order", 2)),
            *(("schedule_entry", 1), ("task", 1)),
        )
    ]
    counters = merging.read(survivor)["counters"]
    assert counters == {name: 2 * count for name, count in parent["counters"].items()} | {"collaborators": 1}
    assert merging.read(survivor)["contact"] == contact
    assert merging.read(survivor)["last_touch_at"] == parent["last_touch_at"]
    timeline = merging.customers_reply("GET", f"/customers/{survivor['id']}/timeline?page_size=100")["items"]
    assert sum(entry["kind"] == "follow_up" for entry in timeline) == 2
    assert (merging.read(survivor)["won"], merging.read(survivor)["open_opportunities"]) == (True, 0)


def test_every_column_that_names_a_customer_moves_or_stays_on_purpose() -> None:
    named = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, Uuid)
        and (
            "customer" in column.name
            or any(key.column.table.name == "customers" for key in column.foreign_keys)
            or f"{table.name}.{column.name}" in STAYS
        )
    }
    moves = {f"{one.table}.{one.column}" for one in CHILDREN} | {f"{one.table}.customer_id" for one in LINKS}

    assert named == moves | STAYS.keys()
    assert moves.isdisjoint(STAYS)


def test_a_preview_tells_all_of_it_and_changes_nothing(customers: Any, merging: Merging) -> None:
    survivor, loser = _two(merging, rating=2, remark="乙的")
    merging.fill(survivor)
    merging.fill(loser, member=merging.organisation.colleague)
    assert customers.patch(merging.supervisor, merging.read(survivor), rating=3).status_code == 200
    before = merging.tables()

    asked = {"survivor_id": survivor["id"], "loser_ids": [loser["id"]]}
    shown = merging.done("/customers:merge-preview", **asked)

    assert changed(before, merging.tables()) == {}
    assert shown["changes"] == [
        {"field": "remark", "before": None, "after": "乙的"},
        {"field": "profile.aliases", "before": None, "after": ["乙"]},
    ]
    assert shown["lost"] == [{"field": "rating", "customer_id": loser["id"], "value": 2}]
    assert {one["kind"]: one["count"] for one in shown["moves"]} == {
        "activity": 2,
        "task": 1,
        "schedule_entry": 1,
        "opportunity": 1,
        "order": 2,
        "main_contact": 1,
        "child": 1,
        "contact": 1,
        "collaborator": 1,
        "star": 1,
        "tag": 1,
    }
    assert [one["items"][0]["label"] for one in shown["moves"] if one["kind"] in ("task", "star")] == [
        "回访",
        "东区主管",
    ]
    assert {one["kind"]: one["count"] for one in shown["links_lost"]} == {"collaborator": 1, "star": 1, "tag": 1}
    assert merging.merge(survivor, loser, versions=shown["versions"])["id"]


def test_values_are_the_survivors_then_the_first_filled_unless_one_is_chosen(customers: Any, merging: Merging) -> None:
    sales = merging.organisation.sales
    survivor = customers.create(sales, "甲", rating=1, province="江苏")
    first = customers.create(sales, "乙", rating=2, remark="乙的", profile={"website": "b.cn", "employees": 40})
    second = customers.create(sales, "丙", rating=3, remark="丙的", **WUXI, profile={"website": "c.cn"})

    chosen = {"rating": second["id"], "profile.website": second["id"], "name": first["id"]}
    merging.merge(survivor, first, second, values=chosen)

    found = merging.read(survivor)
    assert (found["name"], found["rating"], found["remark"]) == ("乙", 3, "乙的")
    assert (found["province"], found["city"]) == (second["province"], second["city"])
    assert (found["profile"]["website"], found["profile"]["employees"]) == ("c.cn", 40)
    assert customers.listed(sales, search="乙") == ["乙"]


def test_a_city_comes_from_the_province_that_is_kept(customers: Any, merging: Merging) -> None:
    survivor, loser = _two(merging, **NANJING)
    assert customers.patch(merging.supervisor, merging.read(survivor), province="广东").status_code == 200

    merging.merge(survivor, loser)

    assert (merging.read(survivor)["province"], merging.read(survivor)["city"]) == ("440000", None)


def test_links_that_both_have_are_the_survivors(customers: Any, merging: Merging) -> None:
    survivor, loser = _two(merging)
    first, second, third, fourth = merging.tags()
    merging.tag(survivor, first, third)
    merging.tag(loser, second, fourth)
    for customer, color, access in ((survivor, "red", "read"), (loser, "blue", "write")):
        merging.star(customer, merging.supervisor, color)
        customers.share(merging.supervisor, customer, merging.organisation.rival, access=access)
    customers.share(merging.supervisor, loser, merging.organisation.sales)
    shared = customers.new_contact(merging.organisation.sales, name="两边的", customer_id=survivor["id"])
    customers.link(merging.supervisor, loser, shared, relation_type="partner", is_primary=True)
    before = merging.tables()

    merge = merging.merge(survivor, loser)

    found = merging.read(survivor)
    assert [tag["id"] for tag in found["tags"]] == [first, third, fourth]
    assert found["star"]["color"] == "red"
    path = f"/customers/{survivor['id']}/collaborators"
    assert [(one["member"]["id"], one["access"]) for one in merging.customers_reply("GET", path)["items"]] == [
        (str(merging.organisation.rival.id), "read")
    ]
    assert [one["name"] for one in customers.contacts_of(merging.supervisor, survivor)] == ["两边的"]
    merging.undo(merge)
    assert changed(before, merging.tables()) == {}


def test_who_has_no_primary_contact_gets_that_of_the_first_loser(customers: Any, merging: Merging) -> None:
    survivor, loser = _two(merging, contact={"name": "首要"})
    shared = customers.contacts_of(merging.supervisor, loser)[0]
    before = merging.tables()

    merge = merging.merge(survivor, loser)

    assert merging.read(survivor)["contact"]["name"] == "首要"
    assert customers.contact(merging.supervisor, shared)["customer"]["id"] == survivor["id"]
    merging.undo(merge)
    assert changed(before, merging.tables()) == {}


def test_a_second_task_of_a_dispatch_goes_on_by_itself(customers: Any, merging: Merging) -> None:
    survivor, loser = _two(merging)
    body = {"customer_ids": [survivor["id"], loser["id"]], "handler_ids": [str(merging.organisation.sales.id)]}
    dispatch = merging.done("/tasks:dispatch", kind="call", subject="回访", **body)["id"]
    with customers.database.transaction() as session:
        made = "INSERT INTO tasks (id, kind, subject, priority, status, customer_id, dispatch_id, owner_id, handler_id,"
        made += (
            " created_by, created_at, updated_at) SELECT :id, 'call', '回访', 'normal', 'open', :customer, :dispatch,"
        )
        made += " :member, :member, :member, now(), now()"
        for customer in (survivor, loser):
            ids = {"id": new_id(), "customer": UUID(customer["id"]), "dispatch": UUID(dispatch)}
            session.execute(text(made), ids | {"member": merging.organisation.sales.id})
    before = merging.tables()

    merge = merging.merge(survivor, loser)

    tasks = merging.customers_reply("GET", f"/tasks?customer_id={survivor['id']}")["items"]
    assert sorted(bool(task["dispatch_id"]) for task in tasks) == [False, True]
    merging.undo(merge)
    assert changed(before, merging.tables()) == {}


def test_parents_never_become_their_own_ancestors(customers: Any, merging: Merging) -> None:
    sales = merging.organisation.sales
    top = customers.create(sales, "顶")
    loser = customers.create(sales, "乙", profile={"parent_customer_id": top["id"]})
    between = customers.create(sales, "中", profile={"parent_customer_id": loser["id"]})
    survivor = customers.create(sales, "甲", profile={"parent_customer_id": between["id"]})
    before = merging.tables()

    merge = merging.merge(survivor, loser)

    assert merging.read(survivor)["profile"]["parent"]["id"] == top["id"]
    assert merging.read(between)["profile"]["parent"]["id"] == survivor["id"]
    merging.undo(merge)
    assert changed(before, merging.tables()) == {}


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"loser_ids": []}, [("/loser_ids", "too_short")]),
        ({"loser_ids": [str(new_id()) for _ in range(10)]}, [("/loser_ids", "too_long")]),
        ({"loser_ids": ["second", "second"]}, [("/loser_ids/1", "merged_twice")]),
        ({"loser_ids": ["first"]}, [("/loser_ids/0", "merged_twice")]),
        ({"values": {"owner_id": "first"}}, [("/values/owner_id", "unknown_field")]),
        ({"values": {"custom.a/b": "first"}}, [("/values/custom.a~1b", "unknown_field")]),
        ({"values": {"rating": str(new_id())}}, [("/values/rating", "not_merged")]),
        ({"versions": {}}, [("/versions/first", "missing"), ("/versions/second", "missing")]),
        ({"owner_id": str(new_id())}, [("/owner_id", "owner_of_no_loser")]),
    ],
)
def test_what_is_wrong_is_named(merging: Merging, body: dict[str, Any], errors: list[Any]) -> None:
    survivor, loser = _two(merging)
    ids = {"first": survivor["id"], "second": loser["id"]}

    def known(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: known(one) for name, one in value.items()}
        return [known(one) for one in value] if isinstance(value, list) else ids.get(value, value)

    reply = merging.post("/customers:merge", **merging.body(survivor, loser) | known(body))

    named = [
        (pointer.replace("first", ids["first"]).replace("second", ids["second"]), code) for pointer, code in errors
    ]
    assert _code(reply) == (422, "validation_failed", named)


def test_versions_that_changed_since_are_named(customers: Any, merging: Merging) -> None:
    survivor, loser = _two(merging)
    body = merging.body(survivor, loser)
    assert customers.patch(merging.organisation.colleague, loser, rating=1).status_code == 200

    reply = merging.post("/customers:merge", **body)

    assert (reply.status_code, reply.json["versions"]) == (412, {loser["id"]: 2})


def test_who_cannot_lose_and_who_cannot_take_part(customers: Any, merging: Merging) -> None:
    survivor, loser = _two(merging)
    supervisor = merging.supervisor
    strange = customers.create(merging.organisation.rival, "南")
    assert merging.post("/customers:merge", **merging.body(survivor, strange)).status_code == 404
    own = customers.create(supervisor, "锁")
    merging.done(f"/customers/{own['id']}:lock")
    refused = merging.post("/customers:merge", **merging.body(survivor, own))
    assert (_code(refused)[:2], refused.json["customer_id"]) == ((409, "locked_loser"), own["id"])
    friend = customers.create(supervisor, "友")
    assert customers.patch(supervisor, friend, wecom_friend=True).status_code == 200
    assert _code(merging.post("/customers:merge", **merging.body(survivor, friend)))[:2] == (
        409,
        "wecom_friend_protected",
    )
    gone = customers.create(supervisor, "删")
    headers = {"If_Match": '"1"'}
    assert customers.request("DELETE", f"/customers/{gone['id']}", supervisor, headers=headers).status_code == 204
    assert _code(merging.post("/customers:merge", **merging.body(survivor, gone)))[:2] == (409, "already_deleted")
    merging.merge(survivor, loser)
    assert _code(merging.post("/customers:merge", **merging.body(survivor, loser)))[:2] == (409, "merged_into")
    assert _code(merging.post("/customers:merge", **merging.body(loser, survivor)))[:2] == (409, "merged_into")
    assert merging.merge(own, survivor)["survivor"]["id"] == own["id"]


def test_more_collaborators_than_a_customer_may_have_are_refused(customers: Any, merging: Merging) -> None:
    survivor, loser = _two(merging)
    added = "INSERT INTO collaborators (customer_id, member_id, added_by, added_at)"
    added += " SELECT :customer, gen_random_uuid(), :member, now() FROM generate_series(1, 26)"
    with customers.database.transaction() as session:
        for customer in (survivor, loser):
            member = {"customer": UUID(customer["id"]), "member": merging.supervisor.id}
            session.execute(text(added), member)

    reply = merging.post("/customers:merge", **merging.body(survivor, loser))

    assert _code(reply)[:2] == (409, "too_many_collaborators")


def test_the_owner_of_a_survivor_in_a_pool_is_to_be_named(customers: Any, merging: Merging) -> None:
    colleague = merging.organisation.colleague
    survivor, loser = _two(merging)
    merging.fill(loser, member=colleague)
    customers.move(survivor, 2, Place(pool_id=str(customers.open_pool)))
    body = merging.body(survivor, loser)

    refused = merging.post("/customers:merge", **body)

    assert _code(refused)[:2] == (409, "owner_required")
    assert refused.json["owners"] == [{"id": str(colleague.id), "name": "李四"}]
    merging.done("/customers:merge", **body, owner_id=str(colleague.id))
    (told,) = customers.outbox(events.CustomersMerged)
    assert (told.owner_id, told.survivor.id) == (str(colleague.id), survivor["id"])
    assert [(one.id, one.name, one.owner_id) for one in told.losers] == [(loser["id"], "乙", str(colleague.id))]


def test_what_comes_into_a_pool_has_no_owner_and_no_collaborators(customers: Any, merging: Merging) -> None:
    survivor, loser = _two(merging)
    merging.fill(loser, member=merging.organisation.colleague)
    customers.move(survivor, 2, Place(pool_id=str(customers.open_pool)))
    before = merging.tables()

    merge = merging.merge(survivor, loser, owner_id=None)

    (told,) = customers.outbox(events.CustomersMerged)
    assert (told.owner_id, list(told.survivor.collaborator_ids)) == ("", [])
    counted = "SELECT count(owner_id) FROM {} WHERE customer_id = :id"
    with customers.database.reading() as session:
        for table in ("contacts", "opportunities", "orders"):
            assert session.scalar(text(counted.format(table)), {"id": UUID(survivor["id"])}) == 0
    merging.undo(merge)
    assert changed(before, merging.tables()) == {}


def test_a_loser_is_found_at_the_survivor_alone(customers: Any, merging: Merging) -> None:
    supervisor, admin = merging.supervisor, merging.organisation.admin
    survivor, loser = _two(merging)
    last = customers.create(supervisor, "丙")
    path = f"/customers/{loser['id']}"
    merging.merge(survivor, loser)
    merging.merge(last, survivor)

    moved = customers.request("GET", path, supervisor)

    assert (moved.status_code, moved.json["code"]) == (308, "merged_into")
    assert moved.headers["Location"] == f"/api/v1/customers/{last['id']}"
    assert moved.headers["Cache-Control"] == "no-store"
    assert customers.request("GET", path, merging.organisation.rival).status_code == 404
    assert (
        customers.request("PATCH", path, supervisor, json={"rating": 1}, headers={"If_Match": '"2"'}).status_code == 404
    )
    assert customers.request("DELETE", path, supervisor, headers={"If_Match": '"2"'}).status_code == 404
    assert _code(customers.request("POST", f"{path}:restore", admin))[:2] == (409, "merged_into")
    assert customers.listed(admin, view="deleted") == []
    assert customers.listed(admin) == ["丙"]
    batch = merging.done("/customers:restore", admin, customer_ids=[loser["id"]])
    assert batch["id"]
    history = merging.customers_reply("GET", f"{path}/history")["items"][0]
    assert (history["action"], history["changes"][0]["after"]) == (
        "customer.merged_away",
        {"id": survivor["id"], "name": "甲"},
    )
    newest = merging.customers_reply("GET", f"/customers/{last['id']}/history")["items"][0]
    assert newest["changes"][-1]["after"] == [{"id": survivor["id"], "name": "甲"}]


def test_losers_are_told_as_deleted_ones(customers: Any, merging: Merging) -> None:
    survivor, loser = _two(merging)
    merge = merging.merge(survivor, loser)
    merging.undo(merge)

    (gone,), (back,) = customers.outbox(events.CustomerDeleted), customers.outbox(events.CustomerRestored)
    (made,), (unmade,) = customers.outbox(events.CustomersMerged), customers.outbox(events.CustomersUnmerged)

    assert [(one.id, one.deleted, one.merged_into) for one in gone.customers] == [(loser["id"], True, survivor["id"])]
    assert [(one.id, one.deleted, one.merged_into) for one in back.customers] == [(loser["id"], False, "")]
    assert made.merge_id == unmade.merge_id == merge["id"]
    assert made.survivor.facts_version < unmade.survivor.facts_version


def test_the_same_key_merges_once(customers: Any, merging: Merging) -> None:
    survivor, loser = _two(merging)
    body = merging.body(survivor, loser)

    answers = [merging.post("/customers:merge", key="once", **body) for _ in range(2)]

    assert [one.status_code for one in answers] == [201, 201]
    assert answers[0].json == answers[1].json
    assert len(customers.outbox(events.CustomersMerged)) == 1


def test_merges_are_listed_to_whoever_sees_the_survivor(customers: Any, merging: Merging) -> None:
    survivor, loser = _two(merging)
    merge = merging.merge(survivor, loser)
    customers.create(merging.supervisor, "丁")

    for asked in ({}, {"customer_id": survivor["id"]}, {"customer_id": loser["id"]}):
        found = customers.request("GET", "/customers/merges", merging.supervisor, query_string=asked).json
        assert ([one["id"] for one in found["items"]], found["total"]) == ([merge["id"]], 1)
    other = {"customer_id": str(new_id())}
    assert customers.request("GET", "/customers/merges", merging.supervisor, query_string=other).json["total"] == 0
    strange = merging.organisation.rival_supervisor
    assert customers.request("GET", "/customers/merges", strange).json["items"] == []
    assert customers.request("GET", f"/customers/merges/{merge['id']}", strange).status_code == 404
    assert customers.request("POST", f"/customers/merges/{merge['id']}:undo", strange).status_code == 404


def test_collisions_go_along_but_one_open_case_of_an_asker_stays(customers: Any, merging: Merging) -> None:
    survivor, loser = _two(merging)
    rival, asker = merging.organisation.rival, merging.organisation.rival_supervisor
    ask = {"kind": "dispute", "reason": "早就认识"}
    for customer in (survivor, loser):
        merging.done("/duplicates/collisions", rival, customer_id=customer["id"], **ask)
    merging.done("/duplicates/collisions", asker, customer_id=loser["id"], **ask)
    before = merging.tables()

    merge = merging.merge(survivor, loser)

    assert {"kind": "collision", "count": 1} in merge["moved"]
    merging.undo(merge)
    assert changed(before, merging.tables()) == {}


def test_names_that_are_gone_are_aliases(customers: Any, merging: Merging) -> None:
    survivor = customers.create(merging.organisation.sales, "甲", profile={"aliases": ["甲字号", "乙"]})
    loser = customers.create(merging.organisation.colleague, "乙", profile={"aliases": ["甲字号", "乙字号"]})
    same = customers.create(merging.organisation.colleague, "甲 ")
    before = merging.tables()

    merge = merging.merge(survivor, loser, same, values={"name": loser["id"]})

    assert merging.read(survivor)["name"] == "乙"
    assert merging.read(survivor)["profile"]["aliases"] == ["甲", "甲字号", "乙字号"]
    merging.undo(merge)
    assert changed(before, merging.tables()) == {}


def test_a_group_of_duplicates_is_merged_once_one_of_it_is_left(customers: Any, merging: Merging) -> None:
    first, second, third = (customers.create(merging.organisation.sales, name) for name in "甲乙丙")
    group, scan = new_id(), new_id()
    with customers.database.transaction() as session:
        made = "INSERT INTO duplicate_scans (id, status, started_by, started_at, updated_at)"
        session.execute(text(f"{made} VALUES (:id, 'done', :id, now(), now())"), {"id": scan})
        made = "INSERT INTO duplicate_groups (id, scan_id, score, updated_at) VALUES (:id, :scan, 0.9, now())"
        session.execute(text(made), {"id": group, "scan": scan})
        made = "INSERT INTO duplicate_group_members (group_id, customer_id, score, reasons) VALUES (:id, :customer, 0.9, '{}')"
        for one in (first, second, third):
            session.execute(text(made), {"id": group, "customer": UUID(one["id"])})

    def status() -> Any:
        with customers.database.reading() as session:
            return session.scalar(text("SELECT status FROM duplicate_groups"))

    before = merging.tables()
    merges, found = [], []
    for loser in (second, third):
        merges.append(merging.merge(first, loser))
        found.append(status())

    assert found == ["open", "merged"]
    for merge in reversed(merges):
        merging.undo(merge)
    assert changed(before, merging.tables()) == {}


def _custom(shown: Any) -> list[Any]:
    return [one for one in shown["changes"] if one["field"].startswith("custom.")]


def test_custom_fields_are_merged_seen_or_not_and_told_to_whoever_sees_them(customers: Any, merging: Merging) -> None:
    admin = merging.organisation.admin
    hidden_from_others = {"role_ids": [str(merging.organisation.role_ids["operations"])]}
    seen, hidden = (
        merging.done("/fields", admin, zh=name, en=name, kind="text", **more)["key"].removeprefix("custom.")
        for name, more in (("见", {}), ("不见", hidden_from_others))
    )
    survivor = customers.create(admin, "甲", owner_id=str(merging.organisation.sales.id))
    loser = customers.create(admin, "乙", owner_id=str(merging.organisation.sales.id), custom={seen: "a", hidden: "b"})
    asked = {"survivor_id": survivor["id"], "loser_ids": [loser["id"]]}
    refused = merging.post("/customers:merge-preview", **asked, values={f"custom.{hidden}": loser["id"]})
    assert _code(refused) == (422, "validation_failed", [(f"/values/custom.{hidden}", "unknown_field")])
    told = [{"field": f"custom.{seen}", "before": None, "after": "a"}]
    assert _custom(merging.done("/customers:merge-preview", **asked)) == told

    merge = merging.merge(survivor, loser)

    assert _custom(merge) == told
    assert customers.request("GET", f"/customers/{survivor['id']}", admin).json["custom"] == {seen: "a", hidden: "b"}
    merging.undo(merge)
    assert customers.request("GET", f"/customers/{survivor['id']}", admin).json["custom"] == {}
