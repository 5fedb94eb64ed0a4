"""Deleting, restoring, changing and tagging many customers at once."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, update

from batch.tables import batch_items
from chassis.clock import now
from chassis.identifiers import new_id
from crm.common.v1.place_pb2 import Place
from crm.customer.v1 import customer_events_pb2 as pb
from crm_customer.collaboration.model import Collaborator
from crm_customer.customers.model import Customer
from tests.support.statements import statements_of


class Batches:
    """Starts and works batches of the open service."""

    def __init__(self, customers: Any) -> None:
        self.customers = customers
        self.organisation = customers.organisation
        self.sales = customers.organisation.sales
        self._tasks = {task.name: task for task in customers.service.all_due()}

    def ask(self, act: str, customers: Any = (), member: Any = None, headers: Any = None, **body: Any) -> Any:
        """The response to starting a batch of some customers, or of a selection."""
        if "selection" not in body:
            body["customer_ids"] = [customer["id"] for customer in customers]
        return self.customers.request(
            "POST", f"/customers:{act}", member or self.sales, json=body, headers=headers or {}
        )

    def step(self) -> bool:
        """What a worker does once: a page of each open batch."""
        return bool(self._tasks["batches"].run(self.customers.runtime))

    def finish(self, reply: Any, member: Any = None) -> Any:
        """The batch that was started, worked to its end."""
        assert reply.status_code == 202, reply.text
        while self.step():
            pass
        return self.read(reply, member)

    def read(self, reply: Any, member: Any = None) -> Any:
        """The batch as its starter reads it."""
        return self.customers.request(
            "GET", reply.headers["Location"].removeprefix("/api/v1"), member or self.sales
        ).json

    def items(self, batch: Any, member: Any = None, **headers: str) -> dict[str, tuple[str, str, str]]:
        """Outcome, code and message of each customer of a batch."""
        path = f"/customers/batches/{batch['id']}/items?page_size=200"
        items = self.customers.request("GET", path, member or self.sales, headers=headers).json["items"]
        return {item["item_id"]: (item["outcome"], item["code"], item["message"]) for item in items}

    def codes(self, batch: Any, customers: Any) -> list[str]:
        """The reason for each of the customers, empty for those that were done."""
        items = self.items(batch)
        return [items[customer["id"]][1] for customer in customers]

    def counts(self, batch: Any) -> tuple[str, int, int, int]:
        return batch["status"], batch["done"], batch["skipped"], batch["failed"]

    def history(self, customer: Any) -> list[Any]:
        path = f"/customers/{customer['id']}/history"
        return self.customers.request("GET", path, self.sales).json["items"]

    def mark(self, customer: Any, **values: Any) -> None:
        """Write columns of a customer that no route of this test sets."""
        with self.customers.database.transaction() as session:
            session.execute(update(Customer).where(Customer.id == UUID(customer["id"])).values(values))


@pytest.fixture
def batches(customers: Any) -> Batches:
    return Batches(customers)


def test_many_are_deleted_and_restored_with_what_they_were(batches: Batches) -> None:
    made = [batches.customers.create(batches.sales, f"客户{n}", remark=f"{n}") for n in range(3)]

    deleted = batches.finish(batches.ask("delete", made[:2]))
    left = batches.customers.listed(batches.sales)
    restored = batches.finish(batches.ask("restore", made[:2]))

    assert batches.counts(deleted) == batches.counts(restored) == ("finished", 2, 0, 0)
    assert left == ["客户2"]
    read = batches.customers.request("GET", f"/customers/{made[0]['id']}", batches.sales)
    assert (read.json["remark"], read.headers["ETag"]) == ("0", '"3"')
    assert [entry["action"] for entry in batches.history(made[0])] == [
        "customer.restored",
        "customer.deleted",
        "customer.created",
    ]
    for kind, batch in ((pb.CustomerDeleted, deleted), (pb.CustomerRestored, restored)):
        (event,) = batches.customers.outbox(kind)
        assert event.batch_id == batch["id"]
        assert event.actor_id == str(batches.sales.id)
        assert {state.id for state in event.customers} == {customer["id"] for customer in made[:2]}
        assert {state.deleted for state in event.customers} == {kind is pb.CustomerDeleted}


def test_all_that_match_are_frozen_when_the_batch_is_started(batches: Batches) -> None:
    create = batches.customers.create
    matching = [create(batches.sales, f"教育{n}", industry="education") for n in range(2)]
    create(batches.sales, "别的", industry="other")
    create(batches.organisation.rival, "教育9", industry="education")

    reply = batches.ask("delete", selection={"filter": {"industry": "education", "search": "教育"}})
    create(batches.sales, "教育后来", industry="education")
    batch = batches.finish(reply)

    assert batches.items(batch).keys() == {customer["id"] for customer in matching}
    assert sorted(batches.customers.listed(batches.sales)) == ["别的", "教育后来"]


def test_a_selection_takes_the_conditions_of_lists(batches: Batches) -> None:
    hot, cold = _tag(batches, "热", "冷")
    tagged, other, _ = (batches.customers.create(batches.sales) for _ in range(3))
    batches.finish(batches.ask("tag", [tagged], add=[hot]))
    batches.finish(batches.ask("tag", [other], add=[cold]))
    condition = {"field": "tags", "operator": "any_of", "values": [hot]}

    batch = batches.finish(batches.ask("delete", selection={"filter": {"conditions": [condition]}}))
    wrong = batches.ask("delete", selection={"filter": {"conditions": [condition | {"field": "mobile"}]}})

    assert batches.items(batch).keys() == {tagged["id"]}
    assert wrong.json["errors"][0]["pointer"] == "/selection/filter/conditions/0/field"


def test_custom_fields_get_values_beside_those_there_are(batches: Batches) -> None:
    admin = batches.organisation.admin
    fields = [
        batches.customers.request("POST", "/fields", admin, json={"zh": key, "en": key, "key": key, "kind": kind}).json
        for key, kind in (("budget", "number"), ("note", "text"))
    ]
    assert [field["key"] for field in fields] == ["custom.budget", "custom.note"], fields
    first = batches.customers.create(batches.sales, custom={"budget": 5, "note": "旧"})
    second = batches.customers.create(batches.sales)

    batches.finish(batches.ask("update", [first, second], changes={"custom": {"budget": 7}}))
    wrong = batches.ask("update", [first], changes={"custom": {"budget": "多"}})

    read = [batches.customers.request("GET", f"/customers/{one['id']}", batches.sales).json for one in (first, second)]
    assert [one["custom"] for one in read] == [{"budget": 7, "note": "旧"}, {"budget": 7}]
    assert batches.history(first)[0]["changes"] == [{"field": "custom.budget", "before": 5, "after": 7}]
    assert wrong.json["errors"][0]["pointer"] == "/changes/custom/budget"


def test_a_filter_of_a_restoration_finds_deleted_customers_alone(batches: Batches) -> None:
    made = [batches.customers.create(batches.sales, f"客户{n}") for n in range(3)]
    batches.finish(batches.ask("delete", made[:2]))

    batch = batches.finish(batches.ask("restore", selection={"filter": {"view": "mine"}}))

    assert batches.items(batch).keys() == {customer["id"] for customer in made[:2]}
    refused = batches.ask("delete", selection={"filter": {"view": "deleted"}})
    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "/selection/filter/view")


@pytest.mark.parametrize("act", ["delete", "restore"])
@pytest.mark.parametrize("body", [{}, {"customer_ids": []}, {"selection": {"filter": {"search": "没有"}}}])
def test_nothing_selected_is_refused_in_words(batches: Batches, act: str, body: Any) -> None:
    reply = batches.customers.request("POST", f"/customers:{act}", batches.sales, json=body)

    assert (reply.status_code, reply.json["code"]) == (422, "select_customers_first")
    assert reply.json["detail"] == "请先选择客户信息。"
    where = "/selection" if "selection" in body else "/customer_ids"
    assert [error["pointer"] for error in reply.json["errors"]] == [where]


@pytest.mark.parametrize(
    ("act", "more"), [("delete", {}), ("update", {"changes": {"rating": 1}}), ("tag", {"remove": [str(new_id())]})]
)
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"customer_ids": [str(new_id())], "selection": {"filter": {}}}, ""),
        ({"customer_ids": ["x"]}, "/customer_ids/0"),
        ({"customer_ids": [str(new_id()) for _ in range(501)]}, "/customer_ids"),
        ({"selection": {"filter": {"industry": "无"}}}, "/selection/filter/industry"),
        ({"selection": {"filter": {"mobile": "1"}}}, "/selection/filter/mobile"),
        ({"selection": {}}, "/selection/filter"),
    ],
)
def test_a_selection_that_makes_no_sense_starts_nothing(
    batches: Batches, act: str, more: Any, body: Any, pointer: str
) -> None:
    batches.customers.create(batches.sales)

    reply = batches.customers.request("POST", f"/customers:{act}", batches.sales, json=body | more)

    assert (reply.status_code, reply.json["errors"][0]["pointer"]) == (422, pointer)
    assert not batches.step()


def test_what_may_not_be_deleted_is_skipped_with_the_reason(batches: Batches) -> None:
    create, organisation = batches.customers.create, batches.organisation
    mine, friend, gone, locked = (create(batches.sales, name) for name in ("我的", "好友", "已删", "锁定"))
    pooled, colleagues, rivals = create(batches.sales), create(organisation.colleague), create(organisation.rival)
    batches.mark(friend, wecom_friend=True)
    assert batches.customers.request("POST", f"/customers/{locked['id']}:lock", batches.sales).status_code == 200
    batches.customers.move(pooled, 5, Place(pool_id=str(batches.customers.open_pool)))
    batches.customers.group(batches.sales, organisation.colleague)
    batches.finish(batches.ask("delete", [gone]))
    given = [mine, friend, gone, locked, pooled, colleagues, rivals, {"id": str(new_id())}]

    batch = batches.finish(batches.ask("delete", given))

    assert batches.codes(batch, given) == [
        "",
        "wecom_friend_protected",
        "already_deleted",
        "locked_protected",
        "delete_own_only",
        "delete_own_only",
        "not_found",
        "not_found",
    ]
    assert batches.counts(batch) == ("finished", 1, 7, 0)
    told = batches.items(batch)[friend["id"]], batches.items(batch, Accept_Language="en")[friend["id"]]
    assert [item[2] for item in told] == [
        "企微好友客户禁止删除或丢公海",
        "WeCom-friend customers cannot be deleted or dropped to the public pool",
    ]
    assert (
        batches.customers.request(
            "DELETE", f"/customers/{friend['id']}", batches.sales, headers={"If_Match": '"1"'}
        ).json["code"]
        == "wecom_friend_protected"
    )


def test_administrators_delete_everybodys(batches: Batches) -> None:
    admin = batches.organisation.admin
    given = [batches.customers.create(member) for member in (batches.sales, batches.organisation.rival)]

    batch = batches.finish(batches.ask("delete", given, admin), admin)

    assert batches.counts(batch) == ("finished", 2, 0, 0)


def test_a_right_that_was_taken_away_meanwhile_ends_the_batch_with_skips(batches: Batches) -> None:
    customer = batches.customers.create(batches.sales)
    reply = batches.ask("delete", [customer])
    batches.customers.grant("sales", without=("customer.delete",))

    batch = batches.finish(reply)

    assert batches.codes(batch, [customer]) == ["forbidden"]
    assert batches.customers.listed(batches.sales) == [customer["name"]]


def test_values_are_given_to_many_and_told_as_one_change_each(batches: Batches) -> None:
    made = [batches.customers.create(batches.sales, f"客户{n}", industry="education", rating=n + 1) for n in range(3)]

    changes = {"rating": 1, "industry": "其他", "remark": None, "province": "江苏", "city": "南京"}
    batch = batches.finish(batches.ask("update", made, changes=changes))

    assert batches.counts(batch) == ("finished", 3, 0, 0)
    shown = batches.customers.request("GET", "/customers?search=客户&address=南京", batches.sales).json["items"]
    assert {(item["rating"], item["industry"], item["city"], item["version"]) for item in shown} == {
        (1, "other", "320100", 2)
    }
    assert len(shown) == 3
    changed = {
        change["field"]: (change["before"], change["after"]) for change in batches.history(made[2])[0]["changes"]
    }
    assert changed == {
        "rating": (3, 1),
        "industry": ("education", "other"),
        "province": (None, "320000"),
        "city": (None, "320100"),
    }
    (event,) = batches.customers.outbox(pb.CustomerUpdated)
    assert (len(event.customers), event.customers[0].facts_version, event.batch_id) == (3, 2, batch["id"])


def test_owners_are_told_of_what_changed_alone(batches: Batches) -> None:
    admin = batches.organisation.admin
    given = [batches.customers.create(batches.sales, rating=rating) for rating in (1, 2, 2)]

    batches.finish(batches.ask("update", given, admin, changes={"rating": 1}), admin)
    batches.finish(batches.ask("restore", given, admin), admin)

    updated, restored = batches.customers.outbox(pb.CustomerBatchFinished)
    assert [(owner.member_id, owner.customers) for owner in updated.owners] == [(str(batches.sales.id), 2)]
    assert (restored.succeeded, list(restored.owners)) == (3, [])


def test_customers_that_have_the_values_already_stay_as_they_are(batches: Batches) -> None:
    same, other = (batches.customers.create(batches.sales, f"客户{n}", rating=n) for n in (1, 2))

    batch = batches.finish(batches.ask("update", [same, other], changes={"rating": 1}))

    assert batches.counts(batch) == ("finished", 2, 0, 0)
    versions = [
        batches.customers.request("GET", f"/customers/{one['id']}", batches.sales).json["version"]
        for one in (same, other)
    ]
    assert versions == [1, 2]


def test_a_province_clears_cities_elsewhere(batches: Batches) -> None:
    here = batches.customers.create(batches.sales, province="江苏", city="南京")
    there = batches.customers.create(batches.sales, province="浙江", city="杭州")

    batches.finish(batches.ask("update", [here, there], changes={"province": "浙江"}))

    read = [batches.customers.request("GET", f"/customers/{one['id']}", batches.sales).json for one in (here, there)]
    assert [(one["province"], one["city"]) for one in read] == [("330000", None), ("330000", "330100")]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({}, "/changes"),
        ({"rating": 9}, "/changes/rating"),
        ({"industry": "无"}, "/changes/industry"),
        ({"city": "南京"}, "/changes/city"),
        ({"name": "同名"}, "/changes/name"),
        ({"contact": {"mobile": "13800138000"}}, "/changes/contact"),
        ({"contact": None}, "/changes/contact"),
        ({"custom": {"nothing": 1}}, "/changes/custom/nothing"),
        ({"owner_id": str(new_id())}, "/changes/owner_id"),
    ],
)
def test_values_are_checked_before_anything_changes(batches: Batches, changes: Any, pointer: str) -> None:
    customer = batches.customers.create(batches.sales)

    reply = batches.ask("update", [customer], changes=changes)

    assert (reply.status_code, [error["pointer"] for error in reply.json["errors"]]) == (422, [pointer])
    assert not batches.step()


def test_in_a_pool_sales_claim_first(batches: Batches) -> None:
    pooled, mine = batches.customers.create(batches.sales), batches.customers.create(batches.sales)
    batches.customers.move(pooled, 5, Place(pool_id=str(batches.customers.open_pool)))
    tag = _tag(batches, "热")

    updated = batches.finish(batches.ask("update", [pooled, mine], changes={"rating": 2}))
    tagged = batches.finish(batches.ask("tag", [pooled, mine], add=[tag]))

    assert batches.codes(updated, [pooled, mine]) == batches.codes(tagged, [pooled, mine]) == ["claim_first", ""]


def _tag(batches: Batches, *names: str, multiple: bool = False) -> Any:
    """Tags of a new group, by id; one alone when one is named."""
    admin = batches.organisation.admin
    body = {"name": "".join(names), "multiple": multiple}
    group = batches.customers.request("POST", "/tags/groups", admin, json=body).json
    made = [{"group_id": group["id"], "name": name, "color": "red"} for name in names]
    ids = [batches.customers.request("POST", "/tags", admin, json=tag).json["id"] for tag in made]
    return ids[0] if len(ids) == 1 else ids


def _tags(batches: Batches, customer: Any) -> list[str]:
    read = batches.customers.request("GET", f"/customers/{customer['id']}", batches.sales).json
    return [tag["name"] for tag in read["tags"]]


def test_what_is_locked_or_only_read_as_a_collaborator_stays_as_it_is(batches: Batches) -> None:
    create, organisation = batches.customers.create, batches.organisation
    mine, locked, read, written = create(batches.sales), *(create(organisation.rival) for _ in range(3))
    batches.mark(locked, locked_at=now(), locked_by=organisation.rival.id)
    with batches.customers.database.transaction() as session:
        for customer, can_write in ((locked, True), (read, False), (written, True)):
            ids = {"customer_id": UUID(customer["id"]), "member_id": batches.sales.id}
            added = {"can_write": can_write, "added_by": organisation.rival.id, "added_at": now()}
            session.add(Collaborator(**ids, **added))
    given = [mine, locked, read, written]

    updated = batches.finish(batches.ask("update", given, changes={"rating": 2}))
    tagged = batches.finish(batches.ask("tag", given, add=[_tag(batches, "热")]))
    deleted = batches.finish(batches.ask("delete", given))

    changed = ["", "not_found", "read_only_collaborator", ""]
    assert batches.codes(updated, given) == batches.codes(tagged, given) == changed
    assert batches.codes(deleted, given) == ["", "not_found", "delete_own_only", "delete_own_only"]


def test_tags_are_put_on_many_and_taken_off(batches: Batches) -> None:
    hot, cold = _tag(batches, "热", "冷")
    school, club = _tag(batches, "校友", "商会", multiple=True)
    first, second = batches.customers.create(batches.sales), batches.customers.create(batches.sales)
    batches.finish(batches.ask("tag", [first], add=[cold, school]))

    batch = batches.finish(batches.ask("tag", [first, second], add=[hot, club], remove=[school]))

    assert batches.counts(batch) == ("finished", 2, 0, 0)
    assert _tags(batches, first) == _tags(batches, second) == ["热", "商会"]
    (change,) = batches.history(first)[0]["changes"]
    assert change == {"field": "tags", "before": ["冷", "校友"], "after": ["热", "商会"]}


def test_tags_of_a_batch_are_checked_when_it_starts_and_when_it_works(batches: Batches) -> None:
    hot, cold = _tag(batches, "热", "冷")
    customer = batches.customers.create(batches.sales)

    nothing, both = batches.ask("tag", [customer]), batches.ask("tag", [customer], add=[hot, cold])
    reply = batches.ask("tag", [customer], add=[hot])
    batches.customers.request("DELETE", f"/tags/{hot}", batches.organisation.admin, headers={"If_Match": '"1"'})

    assert nothing.json["errors"][0]["pointer"] == "/add"
    assert both.json["errors"][0]["code"] == "one_tag_per_group"
    assert batches.codes(batches.finish(reply), [customer]) == ["unknown_tag"]


def test_the_end_is_told_once_with_what_each_other_owner_had(batches: Batches) -> None:
    create, organisation, admin = batches.customers.create, batches.organisation, batches.organisation.admin
    given = [create(organisation.sales), create(organisation.sales), create(organisation.rival), create(admin)]
    friend = create(organisation.rival)
    batches.mark(friend, wecom_friend=True)

    batch = batches.finish(batches.ask("delete", [*given, friend], admin), admin)
    batches.step()

    (finished,) = batches.customers.outbox(pb.CustomerBatchFinished)
    assert (finished.batch_id, finished.actor_id) == (batch["id"], str(admin.id))
    assert finished.kind == pb.CUSTOMER_BATCH_KIND_DELETE
    assert (finished.succeeded, finished.skipped, finished.failed) == (4, 1, 0)
    owners = {owner.member_id: owner.customers for owner in finished.owners}
    assert owners == {str(organisation.sales.id): 2, str(organisation.rival.id): 1}


def test_an_idempotent_repetition_starts_one_batch(batches: Batches) -> None:
    customer = batches.customers.create(batches.sales)
    asked = [batches.ask("delete", [customer], headers={"Idempotency_Key": "eins"}) for _ in range(2)]

    assert asked[0].json["id"] == asked[1].json["id"]
    assert (
        asked[0].headers["Location"]
        == asked[1].headers["Location"]
        == f"/api/v1/customers/batches/{asked[0].json['id']}"
    )


def test_a_batch_is_its_starters_own(batches: Batches) -> None:
    reply = batches.ask("delete", [batches.customers.create(batches.sales)])
    path = reply.headers["Location"].removeprefix("/api/v1")
    organisation = batches.organisation

    seen = {
        name: batches.customers.request("GET", path, organisation.members[name]).status_code
        for name in organisation.members
    }

    assert seen == dict.fromkeys(seen, 404) | {"sales": 200, "operations": 200, "admin": 200}


def test_what_is_done_of_a_cancelled_batch_stays_done(batches: Batches) -> None:
    made = [batches.customers.create(batches.sales, f"客户{n}") for n in range(3)]
    reply = batches.ask("delete", made)
    with batches.customers.database.transaction() as session:
        # As if a page of one had been worked.
        item = batch_items.c
        session.execute(
            update(batch_items)
            .where(item.item_id == UUID(made[0]["id"]))
            .values(outcome="done", parameters={"owner_id": ""})
        )

    batches.customers.request("POST", f"{reply.headers['Location'].removeprefix('/api/v1')}:cancel", batches.sales)
    batch = batches.finish(reply)

    assert batches.counts(batch) == ("cancelled", 1, 2, 0)
    assert batches.codes(batch, made) == ["", "batch_cancelled", "batch_cancelled"]
    assert len(batches.customers.listed(batches.sales)) == 3


@pytest.fixture
def breaking(batches: Batches) -> Iterator[set[str]]:
    """Customers whose rows the database refuses to change, by id."""
    broken: set[str] = set()

    def refuse(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        if statement.startswith("UPDATE customers") and any(id_ in str(parameters) for id_ in broken):
            raise ZeroDivisionError

    engine = batches.customers.database.engine
    event.listen(engine, "before_cursor_execute", refuse)
    yield broken
    event.remove(engine, "before_cursor_execute", refuse)


def test_one_customer_that_breaks_its_page_fails_alone(batches: Batches, breaking: set[str]) -> None:
    made = [batches.customers.create(batches.sales, f"客户{n}") for n in range(3)]
    breaking.add(made[1]["id"])

    batch = batches.finish(batches.ask("delete", made))

    assert batches.counts(batch) == ("finished", 2, 0, 1)
    assert batches.codes(batch, made) == ["", "internal_error", ""]
    assert batches.customers.listed(batches.sales) == ["客户1"]
    (finished,) = batches.customers.outbox(pb.CustomerBatchFinished)
    assert (finished.succeeded, finished.failed) == (2, 1)


def test_a_worker_that_dies_in_a_page_leaves_it_to_the_next(batches: Batches) -> None:
    made = [batches.customers.create(batches.sales, f"客户{n}") for n in range(3)]
    reply = batches.ask("delete", made)
    engine = batches.customers.database.engine

    def die(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("UPDATE batch_items"):
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    event.listen(engine, "before_cursor_execute", die)
    batches.step()
    event.remove(engine, "before_cursor_execute", die)
    left = batches.read(reply)

    batch = batches.finish(reply)

    assert (left["status"], left["pending"]) == ("running", 3)
    assert batches.counts(batch) == ("finished", 3, 0, 0)
    assert len(batches.customers.outbox(pb.CustomerDeleted)) == 1
    assert [entry["action"] for entry in batches.history(made[0])] == ["customer.deleted", "customer.created"]


@pytest.mark.parametrize("act", ["delete", "update", "tag"])
def test_the_number_of_statements_does_not_depend_on_the_number_of_customers(batches: Batches, act: str) -> None:
    tag = _tag(batches, "热")
    more = {"update": {"changes": {"rating": 3, "province": "江苏"}}, "tag": {"add": [tag]}}.get(act, {})
    counted = []
    for size in (1, 12):
        made = [batches.customers.create(batches.sales, f"客户{n}") for n in range(size)]
        reply = batches.ask(act, made, **more)
        with statements_of(batches.customers.database) as sent:
            batches.step()
        counted.append(len(sent))
        assert batches.finish(reply)["done"] == size

    assert counted[0] == counted[1]
