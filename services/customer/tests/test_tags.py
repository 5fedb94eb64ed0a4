"""Tags: setting them up, and putting them on customers and contacts."""

from typing import Any

import pytest

from crm.common.v1.place_pb2 import Place
from crm.customer.v1.customer_events_pb2 import CustomerUpdated
from tests.support.statements import statements_of


class Tags:
    """An administrator who sets up tags, and members who put them on customers."""

    def __init__(self, customers: Any) -> None:
        self.customers = customers
        self.admin = customers.organisation.admin

    def ask(self, method: str, path: str, version: int | None = None, **options: Any) -> Any:
        headers = {} if version is None else {"If_Match": f'"{version}"'}
        return self.customers.request(method, path, self.admin, headers=headers, **options)

    def group(self, name: str, *tags: str, multiple: bool = False) -> tuple[Any, list[Any]]:
        """A group with tags, as they were answered."""
        group = self.ask("POST", "/tags/groups", json={"name": name, "multiple": multiple}).json
        made = [{"group_id": group["id"], "name": tag, "color": "red"} for tag in tags]
        return group, [self.ask("POST", "/tags", json=tag).json for tag in made]

    def put(self, customer: Any, *tags: Any, member: Any = None, of: str = "customers") -> Any:
        """The response to putting exactly these tags on a customer."""
        body = {"tag_ids": [tag["id"] for tag in tags]}
        who = member or self.customers.organisation.sales
        return self.customers.request("PUT", f"/{of}/{customer['id']}/tags", who, json=body)

    def names(self, customer: Any) -> list[str]:
        """The tags that the customer bears."""
        read = self.customers.request("GET", f"/customers/{customer['id']}", self.customers.organisation.sales)
        return [tag["name"] for tag in read.json["tags"]]


@pytest.fixture
def tags(customers: Any) -> Tags:
    return Tags(customers)


def test_groups_and_tags_are_listed_as_they_were_set_up(tags: Tags) -> None:
    group, (hot, cold) = tags.group("热度", "热", "冷")
    tags.group("行业圈", "教育", multiple=True)
    tags.ask("PATCH", f"/tags/{cold['id']}", 1, json={"position": 0, "color": "blue"})
    tags.ask("PATCH", f"/tags/groups/{group['id']}", 1, json={"name": "温度"})

    listed = tags.customers.request("GET", "/tags", tags.customers.organisation.sales).json["groups"]

    shown = [(one["name"], one["multiple"], [tag["name"] for tag in one["tags"]]) for one in listed]
    assert shown == [("温度", False, ["冷", "热"]), ("行业圈", True, ["教育"])]
    assert (hot["color"], listed[0]["tags"][0]["color"], listed[0]["tags"][0]["version"]) == ("red", "blue", 2)


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_only_who_configures_sets_up_tags(tags: Tags, method: str) -> None:
    group, (tag,) = tags.group("热度", "热")
    supervisor = tags.customers.organisation.supervisor
    for path in ("/tags", "/tags/groups"):
        record = tag if path == "/tags" else group
        body = {"name": "新", "group_id": group["id"], "color": "red"} if method == "POST" else {"name": "新"}
        where = path if method == "POST" else f"{path}/{record['id']}"
        options = {} if method == "DELETE" else {"json": body}

        reply = tags.customers.request(method, where, supervisor, headers={"If_Match": '"1"'}, **options)

        assert (reply.status_code, reply.json["permission"]) == (403, "customer.configure")


def test_names_are_unique_where_one_would_confuse_them(tags: Tags) -> None:
    group, (hot, _) = tags.group("热度", "热", "冷")
    other, _ = tags.group("意向", "热")

    again = tags.ask("POST", "/tags/groups", json={"name": " 热度 "})
    same = tags.ask("POST", "/tags", json={"group_id": group["id"], "name": "冷", "color": "red"})
    renamed = tags.ask("PATCH", f"/tags/{hot['id']}", 1, json={"name": "冷"})
    group_renamed = tags.ask("PATCH", f"/tags/groups/{other['id']}", 1, json={"name": "热度"})

    codes = [(reply.status_code, reply.json["code"]) for reply in (again, same, renamed, group_renamed)]
    assert codes == [(409, "tag_name_taken")] * 4


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"color": "pink"}, "/color"),
        ({"name": ""}, "/name"),
        ({"name": "长" * 31}, "/name"),
        ({"group_id": None}, "/group_id"),
    ],
)
def test_a_tag_needs_a_name_a_group_and_a_colour_of_the_palette(tags: Tags, body: Any, pointer: str) -> None:
    group, _ = tags.group("热度")

    reply = tags.ask("POST", "/tags", json={"group_id": group["id"], "name": "热", "color": "red"} | body)

    assert (reply.status_code, [error["pointer"] for error in reply.json["errors"]]) == (422, [pointer])


def test_a_tag_of_no_group_is_refused(tags: Tags) -> None:
    _, (tag,) = tags.group("热度", "热")

    reply = tags.ask("POST", "/tags", json={"group_id": tag["id"], "name": "热", "color": "red"})

    assert reply.json["errors"][0]["code"] == "unknown_tag_group"


def test_there_are_at_most_50_groups(tags: Tags) -> None:
    for number in range(50):
        tags.group(f"组{number}")

    reply = tags.ask("POST", "/tags/groups", json={"name": "再一组"})

    assert (reply.status_code, reply.json["code"], reply.json["detail"]) == (409, "too_many_tags", "最多 50 个")


def test_a_change_needs_the_version_that_was_read(tags: Tags) -> None:
    group, (tag,) = tags.group("热度", "热")
    tags.ask("PATCH", f"/tags/{tag['id']}", 1, json={"name": "很热"})

    stale = tags.ask("PATCH", f"/tags/{tag['id']}", 1, json={"name": "较热"})

    assert stale.status_code == 412
    assert stale.json["conflicts"] == [{"field": "name", "current": "很热", "yours": "较热"}]
    assert tags.ask("DELETE", f"/tags/{tag['id']}", 1).status_code == 412
    assert tags.ask("DELETE", f"/tags/groups/{group['id']}", 2).status_code == 412
    assert tags.ask("DELETE", f"/tags/{tag['id']}").status_code == 428


def test_a_tag_in_use_is_deleted_only_when_that_is_confirmed(tags: Tags) -> None:
    group, (hot,) = tags.group("热度", "热")
    customer = tags.customers.create(tags.customers.organisation.sales)
    tags.put(customer, hot)

    asked = tags.ask("DELETE", f"/tags/{hot['id']}", 1)
    early = tags.ask("DELETE", f"/tags/groups/{group['id']}", 1)
    confirmed = tags.ask("DELETE", f"/tags/{hot['id']}?confirm=true", 1)

    assert (asked.status_code, asked.json["code"], asked.json["count"]) == (409, "tag_in_use", 1)
    assert (early.status_code, early.json["code"]) == (409, "tag_group_not_empty")
    assert (confirmed.status_code, tags.names(customer)) == (204, [])
    assert tags.ask("DELETE", f"/tags/groups/{group['id']}", 1).status_code == 204


def test_who_bears_a_tag_is_counted_for_those_who_set_them_up(tags: Tags) -> None:
    _, (hot, _) = tags.group("热度", "热", "冷")
    sales = tags.customers.organisation.sales
    for _ in range(2):
        tags.put(tags.customers.create(sales), hot)

    counted = tags.ask("GET", "/tags?counts=true").json["groups"][0]["tags"]

    assert [(tag["name"], tag["customers"], tag["contacts"]) for tag in counted] == [("热", 2, 0), ("冷", 0, 0)]
    assert tags.customers.request("GET", "/tags?counts=true", sales).status_code == 403
    assert tags.ask("GET", "/tags").json["groups"][0]["tags"][0]["customers"] is None


def test_a_customer_bears_what_was_put_on_it_and_its_history_says_so(tags: Tags) -> None:
    sales = tags.customers.organisation.sales
    _, (hot, cold) = tags.group("热度", "热", "冷")
    _, (school, club) = tags.group("圈子", "校友", "商会", multiple=True)
    customer = tags.customers.create(sales)

    tags.put(customer, hot)
    reply = tags.put(customer, club, cold, school)
    tags.put(customer, club, cold, school)

    read = tags.customers.request("GET", f"/customers/{customer['id']}", sales)
    assert [tag["name"] for tag in reply.json["tags"]] == ["冷", "校友", "商会"]
    assert read.json["tags"] == reply.json["tags"]
    assert tags.customers.request("GET", "/customers", sales).json["items"][0]["tags"] == reply.json["tags"]
    assert (read.headers["ETag"], read.json["updated_at"]) == ('"1"', customer["updated_at"])
    assert tags.customers.outbox(CustomerUpdated) == []
    history = tags.customers.request("GET", f"/customers/{customer['id']}/history", sales).json["items"]
    assert [entry["action"] for entry in history] == ["customer.tagged", "customer.tagged", "customer.created"]
    assert history[0]["changes"] == [{"field": "tags", "before": ["热"], "after": ["冷", "校友", "商会"]}]


def test_of_some_groups_a_customer_bears_one_tag(tags: Tags) -> None:
    _, (hot, cold) = tags.group("热度", "热", "冷")
    customer = tags.customers.create(tags.customers.organisation.sales)
    tags.put(customer, cold)

    reply = tags.put(customer, hot, cold)

    assert (reply.status_code, reply.json["errors"][0]["pointer"]) == (422, "/tag_ids/1")
    assert reply.json["errors"][0]["code"] == "one_tag_per_group"
    assert tags.put(customer, {"id": customer["id"]}).json["errors"][0]["code"] == "unknown_tag"
    assert tags.names(customer) == ["冷"]


def test_a_group_allows_one_tag_only_while_no_customer_bears_two(tags: Tags) -> None:
    group, (school, club) = tags.group("圈子", "校友", "商会", multiple=True)
    customer = tags.customers.create(tags.customers.organisation.sales)
    tags.put(customer, school, club)

    refused = tags.ask("PATCH", f"/tags/groups/{group['id']}", 1, json={"multiple": False})
    tags.put(customer, club)
    changed = tags.ask("PATCH", f"/tags/groups/{group['id']}", 1, json={"multiple": False})

    assert (refused.status_code, refused.json["code"]) == (409, "tags_borne_together")
    assert (changed.status_code, changed.json["multiple"]) == (200, False)


def test_tags_are_put_only_on_customers_that_one_may_change(tags: Tags) -> None:
    organisation = tags.customers.organisation
    _, (hot,) = tags.group("热度", "热")
    theirs, pooled = tags.customers.create(organisation.rival), tags.customers.create(organisation.sales)
    tags.customers.move(pooled, 5, Place(pool_id=str(tags.customers.open_pool)))

    out_of_sight, in_pool = tags.put(theirs, hot), tags.put(pooled, hot)

    assert out_of_sight.status_code == 404
    assert (in_pool.status_code, in_pool.json["code"]) == (409, "claim_first")
    assert tags.put(pooled, hot, member=organisation.supervisor).status_code == 200


def test_tags_of_a_page_cost_the_same_however_long_it_is(tags: Tags) -> None:
    sales = tags.customers.organisation.sales
    _, made = tags.group("圈子", "校友", "商会", multiple=True)
    tags.put(tags.customers.create(sales), *made)
    with statements_of(tags.customers.database) as one:
        tags.customers.request("GET", "/customers", sales)
    for _ in range(5):
        tags.put(tags.customers.create(sales), *made)

    with statements_of(tags.customers.database) as six:
        items = tags.customers.request("GET", "/customers", sales).json["items"]

    assert [len(item["tags"]) for item in items] == [2] * 6
    assert len(six) == len(one)


def test_a_contact_bears_tags_of_its_own(tags: Tags) -> None:
    sales = tags.customers.organisation.sales
    _, (buyer, user) = tags.group("角色", "采购", "使用")
    tags.customers.create(sales, contact={"name": "张三"})
    (contact,) = tags.customers.request("GET", "/contacts", sales).json["items"]

    tags.put(contact, buyer, of="contacts")
    both = tags.put(contact, buyer, user, of="contacts")
    put = tags.put(contact, user, of="contacts")

    read = tags.customers.request("GET", f"/contacts/{contact['id']}", sales)
    assert both.json["errors"][0]["code"] == "one_tag_per_group"
    assert read.json["tags"] == put.json["tags"]
    assert [tag["name"] for tag in read.json["tags"]] == ["使用"]
    assert read.headers["ETag"] == f'"{contact["version"]}"'
    assert tags.customers.request("GET", "/contacts", sales).json["items"][0]["tags"] == put.json["tags"]
    history = tags.customers.request("GET", f"/contacts/{contact['id']}/history", sales).json["items"]
    assert history[0]["changes"] == [{"field": "tags", "before": ["采购"], "after": ["使用"]}]
    assert tags.put(contact, user, member=tags.customers.organisation.rival, of="contacts").status_code == 404
    counted = tags.ask("GET", "/tags?counts=true").json["groups"][0]["tags"]
    assert [tag["contacts"] for tag in counted] == [0, 1]


def test_in_a_pool_sales_claim_before_they_tag_a_contact(tags: Tags) -> None:
    sales = tags.customers.organisation.sales
    _, (buyer,) = tags.group("角色", "采购")
    customer = tags.customers.create(
        tags.customers.organisation.colleague, contact={"name": "张三", "mobile": "13800138000"}
    )
    tags.customers.move(customer, 5, Place(pool_id=str(tags.customers.open_pool)))
    (contact,) = tags.customers.request("GET", f"/customers/{customer['id']}/contacts", sales).json["items"]

    reply = tags.put(contact, buyer, of="contacts")

    assert (reply.status_code, reply.json["code"]) == (409, "claim_first")
