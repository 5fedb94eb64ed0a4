"""Changing, deleting and restoring a customer."""

from typing import Any

import pytest

from crm.common.v1.place_pb2 import Place
from crm.customer.v1.customer_events_pb2 import CustomerDeleted, CustomerRestored, CustomerUpdated


def test_only_the_fields_sent_change(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(
        sales, "旧", industry="education", contact={"mobile": "13800138000", "position": "经理"}
    )

    reply = customers.patch(sales, customer, name="新", industry=None, contact={"mobile": "13900139000"})

    changed = reply.json
    assert (reply.status_code, reply.headers["ETag"], changed["version"]) == (200, '"2"', 2)
    assert (changed["name"], changed["industry"]) == ("新", None)
    assert (changed["contact"]["mobile"], changed["contact"]["position"]) == ("13900139000", "经理")
    assert changed["updated_at"] > customer["updated_at"]
    (event,) = customers.outbox(CustomerUpdated)
    assert (event.customers[0].name, event.customers[0].facts_version) == ("新", 2)


def test_sending_what_already_holds_changes_nothing(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales, "春松", contact={"mobile": "13800138000"})

    reply = customers.patch(sales, customer, name=" 春松 ", contact={"mobile": "138-0013-8000"})

    assert reply.json == customer
    assert customers.outbox(CustomerUpdated) == []


def test_a_contact_is_made_changed_and_removed(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales, "春松")

    made = customers.patch(sales, customer, contact={"email": "a@b.cn"}).json
    renamed = customers.patch(sales, made, contact={"name": ""}).json
    removed = customers.patch(sales, renamed, contact=None).json
    again = customers.patch(sales, removed, contact={"name": "新人"}).json

    assert made["contact"]["name"] == renamed["contact"]["name"] == "春松"
    assert removed["contact"] is None
    assert (again["contact"]["name"], again["contact"]["email"]) == ("新人", None)


def test_changing_the_province_clears_a_city_elsewhere(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales, province="江苏", city="南京")

    moved = customers.patch(sales, customer, province="浙江").json
    stayed = customers.patch(sales, customers.patch(sales, moved, city="杭州").json, province="浙江省").json

    assert (moved["province"], moved["city"]) == ("330000", None)
    assert stayed["city"] == "330100"
    assert customers.patch(sales, stayed, city="南京").json["errors"][0]["code"] == "city_not_in_province"


def test_a_name_cannot_be_taken_away(customers: Any) -> None:
    sales = customers.organisation.sales

    reply = customers.patch(sales, customers.create(sales), name="  ")

    assert reply.json["errors"][0]["message"] == "请填写客户名"


def test_a_stale_change_gets_both_values_of_what_others_changed(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales, "春松", contact={"mobile": "13800138000"})
    customers.patch(organisation.supervisor, customer, name="主管改的", contact={"mobile": "13900139000"})

    reply = customers.patch(
        organisation.sales, customer, name="我改的", remark="只有我改", contact={"mobile": "13700137000"}
    )

    assert (reply.status_code, reply.json["code"], reply.json["version"]) == (412, "stale_version", 2)
    assert sorted(reply.json["conflicts"], key=lambda conflict: conflict["field"]) == [
        {"field": "contact.mobile", "current": "13900139000", "yours": "13700137000"},
        {"field": "name", "current": "主管改的", "yours": "我改的"},
    ]
    assert customers.request("GET", f"/customers/{customer['id']}", organisation.sales).json["remark"] is None


@pytest.mark.parametrize(("headers", "status"), [({}, 428), ({"If_Match": "x"}, 400), ({"If_Match": '"9"'}, 412)])
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_changes_need_the_version_that_was_read(customers: Any, method: str, headers: Any, status: int) -> None:
    sales = customers.organisation.sales
    body = {"json": {"name": "x"}} if method == "PATCH" else {}

    reply = customers.request(method, f"/customers/{customers.create(sales)['id']}", sales, headers=headers, **body)

    assert reply.status_code == status


def test_ownership_never_changes_version_etag_or_time_of_update(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)

    customers.move(customer, 5, Place(owner_id=str(organisation.colleague.id)), "2026-12-31")

    read = customers.request("GET", f"/customers/{customer['id']}", organisation.colleague)
    assert (read.headers["ETag"], read.json["updated_at"]) == ('"1"', customer["updated_at"])
    assert (read.json["owner"]["name"], read.json["expires_on"]) == ("李四", "2026-12-31")
    assert customers.outbox(CustomerUpdated) == []


def test_days_left_are_never_negative(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)

    customers.move(customer, 5, Place(owner_id=str(sales.id)), "2020-01-01")

    assert customers.request("GET", f"/customers/{customer['id']}", sales).json["days_left"] == 0


def test_a_deleted_customer_is_in_the_recycle_bin_alone_until_restored(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales, contact={"mobile": "13800138000"})
    path = f"/customers/{customer['id']}"

    assert customers.request("DELETE", path, sales, headers={"If_Match": '"1"'}).status_code == 204

    assert customers.listed(sales) == customers.listed(sales, search="13800138000") == []
    assert customers.request("GET", path, sales).status_code == 404
    assert customers.listed(sales, view="deleted") == [customer["name"]]
    assert customers.outbox(CustomerDeleted)[0].customers[0].deleted

    restored = customers.request("POST", f"{path}:restore", sales)

    assert (restored.status_code, restored.json["version"], restored.json["contact"]) == (200, 3, customer["contact"])
    assert customers.listed(sales) == [customer["name"]]
    assert customers.outbox(CustomerRestored)[0].customers[0].facts_version == 3
    assert customers.request("POST", f"{path}:restore", sales).json["version"] == 3


def test_only_administrators_delete_what_others_own(customers: Any) -> None:
    organisation = customers.organisation
    path = f"/customers/{customers.create(organisation.sales)['id']}"
    etag = {"If_Match": '"1"'}

    refused = customers.request("DELETE", path, organisation.supervisor, headers=etag)

    assert (refused.status_code, refused.json["code"]) == (403, "delete_own_only")
    assert customers.request("DELETE", path, organisation.admin, headers=etag).status_code == 204
    assert customers.request("POST", f"{path}:restore", organisation.supervisor).status_code == 403


def test_history_tells_who_changed_what_newest_first(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales, "旧", contact={"mobile": "13800138000"})
    customers.patch(organisation.supervisor, customer, name="新", contact={"mobile": "13900139000"})

    items = customers.request("GET", f"/customers/{customer['id']}/history", organisation.sales).json["items"]

    assert [(item["action"], item["actor"]["name"]) for item in items] == [
        ("customer.changed", "东区主管"),
        ("customer.created", "张三"),
    ]
    assert {change["field"]: (change["before"], change["after"]) for change in items[0]["changes"]} == {
        "name": ("旧", "新"),
        "contact.mobile": ("13800138000", "13900139000"),
    }
