"""Contacts of several customers: linking, the primary contact, taking off."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import select

from chassis.identifiers import new_id
from crm.common.v1.place_pb2 import Place
from crm_customer.contacts.model import CustomerContact


def _primary(customers: Any, member: Any, customer: Any) -> list[str]:
    return [
        one["name"]
        for one in customers.contacts_of(member, customer)
        for link in one["customers"]
        if link["id"] == customer["id"] and link["is_primary"]
    ]


def test_contacts_of_a_customer_are_listed_with_the_primary_one_first(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)
    names = ("甲", "乙", "丙")
    made = [customers.new_contact(sales, name=name, customer_id=customer["id"]) for name in names]
    assert [one["name"] for one in customers.contacts_of(sales, customer)] == ["甲", "乙", "丙"]
    assert _primary(customers, sales, customer) == ["甲"]

    customers.link(sales, customer, made[2], is_primary=True, relation_type="partner")

    reply = customers.request("GET", f"/customers/{customer['id']}/contacts?page_size=2", sales).json
    assert (reply["total"], [one["name"] for one in reply["items"]]) == (3, ["丙", "甲"])
    assert _primary(customers, sales, customer) == ["丙"]
    assert customers.request("GET", f"/customers/{customer['id']}", sales).json["contact"]["name"] == "丙"


def test_a_contact_belongs_to_several_customers_and_is_primary_of_each(customers: Any) -> None:
    sales = customers.organisation.sales
    first, second = customers.create(sales, "一"), customers.create(sales, "二")
    contact = customers.new_contact(sales, name="陈工", mobile="13800138000", customer_id=first["id"])

    linked = customers.link(sales, second, contact, relation_type="顾问")

    links = {one["name"]: (one["is_primary"], one["relation_type"]) for one in linked["customers"]}
    assert links == {"一": (True, None), "二": (True, "adviser")}
    assert linked["customer"]["name"] == "一"
    for customer in (first, second):
        shown = customers.request("GET", f"/customers/{customer['id']}", sales).json
        assert (shown["contact"]["mobile"], shown["version"]) == ("13800138000", 1)
    moved = customers.patch_contact(sales, linked, customer_id=second["id"]).json
    assert (moved["customer"]["name"], len(moved["customers"])) == ("二", 2)
    assert customers.link(sales, second, contact, relation_type="")["customers"][1]["relation_type"] is None


def test_a_contact_taken_off_stays_with_the_other_customer_and_then_with_its_owner(customers: Any) -> None:
    sales = customers.organisation.sales
    first, second = customers.create(sales, "一"), customers.create(sales, "二")
    contact = customers.new_contact(sales, name="陈工", customer_id=first["id"])
    customers.link(sales, second, contact)
    path = f"/contacts/{contact['id']}"

    assert customers.request("DELETE", f"/customers/{first['id']}{path}", sales).status_code == 204
    left = customers.contact(sales, contact)
    assert (left["customer"]["name"], [one["name"] for one in left["customers"]]) == ("二", ["二"])
    assert customers.contacts_of(sales, first) == []
    assert customers.request("DELETE", f"/customers/{first['id']}{path}", sales).status_code == 404

    customers.set_owner(contact, None)
    assert customers.request("DELETE", f"/customers/{second['id']}{path}", sales).status_code == 204
    alone = customers.contact(sales, contact)
    assert (alone["customer"], alone["customers"], alone["owner"]["name"]) == (None, [], sales.name)
    assert customers.contact_status(customers.organisation.supervisor, contact) == 404
    assert customers.contact(customers.organisation.admin, contact)["name"] == "陈工"


def test_links_stand_in_both_histories_without_naming_what_the_reader_does_not_see(customers: Any) -> None:
    sales, rival = customers.organisation.sales, customers.organisation.rival
    mine, theirs = customers.create(sales, "我的"), customers.create(rival, "他的")
    contact = customers.new_contact(sales, name="陈工", customer_id=mine["id"])
    group = customers.group(sales, rival)
    customers.link(sales, theirs, contact, relation_type="partner")
    customers.group(id_=group, version=2, deleted=True)

    def history(member: Any, path: str) -> Any:
        return customers.request("GET", f"{path}/history", member).json["items"]

    newest = history(rival, f"/customers/{theirs['id']}")[0]
    assert (newest["action"], newest["words"]) == ("customer.contact_added", "添加联系人")
    assert newest["actor"]["name"] == sales.name
    assert {one["field"]: one["after"] for one in newest["changes"]} == {
        "contact": "陈工",
        "relation_type": "partner",
        "is_primary": True,
    }
    for member, name in ((sales, "我的"), (rival, "他的")):
        told = [
            change["after"]["name"]
            for item in history(member, f"/contacts/{contact['id']}")
            for change in item["changes"]
            if change["field"] == "customer_id" and change["after"]
        ]
        assert told == [name]


def test_what_cannot_be_linked(customers: Any) -> None:
    organisation = customers.organisation
    sales, rival = organisation.sales, organisation.rival
    customer, theirs = customers.create(sales), customers.create(rival)
    contact, hidden = customers.new_contact(sales, name="陈工"), customers.new_contact(rival, name="别人的")
    gone = customers.new_contact(sales, name="已删")
    customers.delete_contacts(sales, gone)

    def status(customer_id: Any, contact_id: Any, **body: Any) -> tuple[int, str]:
        reply = customers.request("PUT", f"/customers/{customer_id}/contacts/{contact_id}", sales, json=body)
        return reply.status_code, reply.json["code"]

    assert status(theirs["id"], contact["id"]) == (404, "not_found")
    assert status(customer["id"], hidden["id"]) == (404, "not_found")
    assert status(customer["id"], gone["id"]) == (404, "not_found")
    assert status(customer["id"], new_id()) == (404, "not_found")
    assert status(customer["id"], contact["id"], relation_type="没有的") == (422, "validation_failed")
    assert customers.contacts_of(sales, customer) == []
    customers.link(sales, customer, contact)
    assert status(customer["id"], contact["id"], is_primary=False) == (409, "primary_needed")


def test_numbers_are_not_taken_out_of_a_pool_by_linking(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales, contact={"name": "陈工", "mobile": "13800138000"})
    (contact,) = customers.contacts(organisation.sales)
    customers.set_owner(contact, None)
    customers.move(customer, 2, Place(pool_id=str(customers.open_pool)))
    mine = customers.create(organisation.rival, "我的")

    by_link = customers.request("PUT", f"/customers/{mine['id']}/contacts/{contact['id']}", organisation.rival, json={})
    by_form = customers.patch_contact(organisation.rival, contact, customer_id=mine["id"])

    assert (by_link.json["code"], by_form.json["code"]) == ("claim_first", "claim_first")
    assert customers.contacts_of(organisation.rival, mine) == []


def test_of_two_who_mark_at_once_one_contact_is_primary(customers: Any) -> None:
    sales, supervisor = customers.organisation.sales, customers.organisation.supervisor
    customer = customers.create(sales)
    contacts = [customers.new_contact(sales, name=f"陈{n}", customer_id=customer["id"]) for n in range(4)]

    def mark(turn: int) -> int:
        path = f"/customers/{customer['id']}/contacts/{contacts[turn % 4]['id']}"
        client = customers.client.application.test_client()
        headers = customers.headers(sales if turn % 2 else supervisor)
        return int(client.put(f"/api/v1{path}", headers=headers, json={"is_primary": True}).status_code)

    with ThreadPoolExecutor(4) as threads:
        statuses = list(threads.map(mark, range(16)))

    assert statuses == [200] * 16
    with customers.database.reading() as session:
        marks = session.scalars(select(CustomerContact.is_primary)).all()
    assert (len(marks), sum(marks)) == (4, 1)


def test_deleting_and_restoring_at_once_leaves_one_primary_contact(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)
    contacts = [customers.new_contact(sales, name=f"陈{n}", customer_id=customer["id"]) for n in range(3)]
    ids = [contact["id"] for contact in contacts]

    def turn(number: int) -> int:
        client, headers = customers.client.application.test_client(), customers.headers(sales)
        verb = "restore" if number % 2 else "delete"
        chosen = ids[number % 3 :] + ids[: number % 3]
        return int(
            client.post(f"/api/v1/contacts:{verb}", headers=headers, json={"contact_ids": chosen[:2]}).status_code
        )

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(turn, range(16))) == {200}

    customers.request("POST", "/contacts:restore", sales, json={"contact_ids": ids})
    assert len(customers.contacts_of(sales, customer)) == 3
    assert len(_primary(customers, sales, customer)) == 1
