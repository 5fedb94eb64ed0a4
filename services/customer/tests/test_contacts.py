"""One contact: its form, changes, the recycle bin, who sees which of its fields."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, update

from chassis.clock import now
from chassis.identifiers import new_id
from crm.common.v1.place_pb2 import Place
from crm.customer.v1.customer_events_pb2 import CustomerUpdated
from crm_customer.collaboration.model import Collaborator
from crm_customer.customers.model import Customer
from crm_customer.dictionaries.model import DictionaryOption

NUMBERS = {"mobile": "13800138000", "phone": "025-1234567", "email": "chen@example.com", "qq": "123456"}


def test_a_contact_is_stored_with_every_field_of_the_form(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)
    form = {
        "name": "陈工",
        "salutation": "Mr",
        "position": "经理",
        **NUMBERS,
        "address": "南京路1号",
        "postcode": "210000",
        "birthday": "1990-02-28",
        "contact_group": "决策人",
        "remark": "周二到访",
        "customer_id": customer["id"],
        "relation_type": "员工",
    }

    made = customers.new_contact(sales, **form)

    stored = {name: value for name, value in form.items() if name not in ("customer_id", "relation_type")}
    assert made.items() >= (stored | {"salutation": "先生", "contact_group": "decision_maker"}).items()
    assert (made["customer"]["id"], made["owner"]["id"]) == (customer["id"], str(sales.id))
    assert made["customers"][0].items() >= {"is_primary": True, "relation_type": "employee", "pool": None}.items()
    assert (made["telephone"], made["masked"], made["created_by"]["name"]) == ("025-1234567", False, sales.name)
    assert customers.contact(sales, made) == made
    assert customers.request("GET", f"/customers/{customer['id']}", sales).json["contact"]["mobile"] == "13800138000"


def test_wrong_fields_are_all_named_at_once_and_nothing_is_stored(customers: Any) -> None:
    sales = customers.organisation.sales

    body = {
        "name": " ",
        "salutation": "陈总",
        "position": "经" * 51,
        "phone": "1" * 21,
        "mobile": "12345678901",
        "email": "x@y",
        "qq": "12a",
        "address": "路" * 101,
        "postcode": "12345",
        "birthday": "2999-01-01",
        "contact_group": "没有的",
        "relation_type": "没有的",
        "remark": "长" * 501,
        "owner_id": str(new_id()),
    }

    forbidden = customers.request("POST", "/contacts", sales, json=body)
    reply = customers.request("POST", "/contacts", customers.organisation.admin, json=body)

    assert (forbidden.status_code, forbidden.json["permission"]) == (403, "pool.assign")
    assert reply.status_code == 422
    assert {error["pointer"]: error["code"] for error in reply.json["errors"]} == {
        "/name": "contact_name_missing",
        "/salutation": "unknown_option",
        "/position": "string_too_long",
        "/phone": "string_too_long",
        "/mobile": "mobile_invalid",
        "/email": "email_invalid",
        "/qq": "qq_invalid",
        "/address": "string_too_long",
        "/postcode": "postcode_invalid",
        "/birthday": "birthday_not_past",
        "/contact_group": "unknown_option",
        "/relation_type": "unknown_option",
        "/remark": "string_too_long",
        "/owner_id": "owner_inactive",
    }
    words = {error["pointer"]: error["message"] for error in reply.json["errors"]}
    assert (words["/name"], words["/phone"]) == ("联系人姓名不能为空", "电话最多20个字符")
    assert customers.contacts(customers.organisation.admin) == []


def test_a_name_is_needed_and_has_at_most_fifty_characters(customers: Any) -> None:
    sales = customers.organisation.sales

    def refused(**body: Any) -> str:
        return str(customers.request("POST", "/contacts", sales, json=body).json["errors"][0]["message"])

    assert refused() == refused(name="") == "联系人姓名不能为空"
    assert refused(name="陈" * 51) == "联系人姓名最多50个字"
    assert customers.new_contact(sales, name="陈" * 50)["name"] == "陈" * 50


def test_free_text_of_the_customers_form_stays_as_it_is_on_the_contacts_own(customers: Any) -> None:
    sales = customers.organisation.sales
    customers.create(sales, contact={"name": "陈总", "salutation": "陈老板"})
    (contact,) = customers.contacts(sales)

    kept = customers.patch_contact(sales, contact, salutation="陈老板", position="董事长")
    refused = customers.patch_contact(sales, kept.json, salutation="陈大老板")
    chosen = customers.patch_contact(sales, kept.json, salutation="女士")
    gone = customers.patch_contact(sales, chosen.json, salutation="陈老板")

    assert (kept.json["salutation"], kept.json["position"]) == ("陈老板", "董事长")
    assert [error["code"] for error in refused.json["errors"]] == ["unknown_option"]
    assert chosen.json["salutation"] == "女士"
    assert gone.status_code == 422


def test_only_the_fields_sent_change_and_a_clash_names_both_values(customers: Any) -> None:
    sales, supervisor = customers.organisation.sales, customers.organisation.supervisor
    customer = customers.create(sales)
    contact = customers.new_contact(sales, name="陈工", position="经理", customer_id=customer["id"], **NUMBERS)

    changed = customers.patch_contact(supervisor, contact, position="总监", birthday="1980-05-01")
    same = customers.patch_contact(sales, changed.json, position="总监")
    clash = customers.patch_contact(sales, contact, position="副总", remark="新")

    assert changed.headers["ETag"] == '"2"'
    assert (changed.json["mobile"], changed.json["birthday"]) == ("13800138000", "1980-05-01")
    assert same.json == changed.json
    assert clash.status_code == 412
    assert clash.json["conflicts"] == [{"field": "position", "current": "总监", "yours": "副总"}]
    # The customer's own version is that of its form.
    assert customers.request("GET", f"/customers/{customer['id']}", sales).json["version"] == 1
    assert customers.outbox(CustomerUpdated) == []


def test_a_change_on_the_customers_form_counts_for_the_contacts_own(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales, contact={"name": "陈工", "mobile": "13800138000"})
    (contact,) = customers.contacts(sales)

    customers.patch(sales, customer, contact={"name": "陈明", "mobile": "13900139000"})
    clash = customers.patch_contact(sales, contact, mobile="13700137000")

    assert clash.json["conflicts"] == [{"field": "mobile", "current": "13900139000", "yours": "13700137000"}]
    assert [one["name"] for one in customers.contacts(sales, name="陈明")] == ["陈明"]
    assert customers.contacts(sales, name="陈工") == []


def test_both_histories_tell_who_changed_what(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales, contact={"name": "陈工", "mobile": "13800138000"})
    (contact,) = customers.contacts(sales)
    contact = customers.patch_contact(sales, contact, position="经理").json
    customers.patch(sales, customer, contact={"mobile": "13900139000"})

    own = customers.request("GET", f"/contacts/{contact['id']}/history", sales).json["items"]
    of_customer = customers.request("GET", f"/customers/{customer['id']}/history", sales).json["items"]

    assert [item["action"] for item in own] == ["contact.changed", "contact.changed", "contact.created"]
    assert own[0]["changes"] == [{"field": "mobile", "before": "13800138000", "after": "13900139000"}]
    assert own[1]["changes"] == [{"field": "position", "before": None, "after": "经理"}]
    assert own[0]["actor"]["name"] == sales.name
    assert [item["action"] for item in of_customer] == [
        "customer.changed",
        "customer.contact_changed",
        "customer.created",
    ]
    assert of_customer[1]["changes"] == [{"field": "contact.position", "before": None, "after": "经理"}]


def test_an_owner_within_reach_may_be_named_by_who_assigns(customers: Any) -> None:
    organisation = customers.organisation
    supervisor = organisation.supervisor

    given = customers.new_contact(supervisor, name="陈工", owner_id=str(organisation.sales.id))
    outside = customers.request(
        "POST", "/contacts", supervisor, json={"name": "陈工", "owner_id": str(organisation.rival.id)}
    )

    assert given["owner"]["name"] == "张三"
    assert customers.contact(organisation.sales, given)["name"] == "陈工"
    assert customers.contact_status(supervisor, given) == 404
    assert [error["code"] for error in outside.json["errors"]] == ["owner_out_of_reach"]


def test_a_contact_is_seen_through_its_customers_and_by_its_owner(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    shared = customers.new_contact(organisation.sales, name="陈工", customer_id=customer["id"])
    free = customers.new_contact(organisation.sales, name="散客")
    sees = {
        key: (customers.contact_status(member, shared), customers.contact_status(member, free))
        for key, member in organisation.members.items()
    }

    assert sees["sales"] == sees["admin"] == (200, 200)
    assert sees["supervisor"] == (200, 404)
    assert sees["colleague"] == sees["rival"] == (404, 404)
    customers.request("DELETE", f"/customers/{customer['id']}", organisation.sales, headers={"If_Match": '"1"'})
    assert customers.contact_status(organisation.supervisor, shared) == 404
    assert customers.contact(organisation.sales, shared)["customers"] == []


def test_in_a_pool_numbers_are_masked_and_nothing_changes_before_a_claim(customers: Any) -> None:
    organisation = customers.organisation
    sales, rival = organisation.sales, organisation.rival
    customer = customers.create(sales, contact={"name": "陈工", **NUMBERS})
    (contact,) = customers.contacts(sales)
    customers.set_owner(contact, None)
    customers.move(customer, 2, Place(pool_id=str(customers.open_pool)))

    masked = customers.contact(rival, contact)
    shown = {name: masked[name] for name in ("mobile", "phone", "email", "qq", "telephone")}
    assert shown == {
        "mobile": "138****8000",
        "phone": "****",
        "email": "c***@***.com",
        "qq": "****",
        "telephone": "****",
    }
    assert masked["masked"]
    assert masked["customers"][0]["pool"]["name"] == "公海"
    history = customers.request("GET", f"/contacts/{contact['id']}/history", rival)
    assert not any(number in history.text for number in NUMBERS.values())
    mine = customers.create(rival, "我的")
    refusals = [
        customers.patch_contact(rival, masked, remark="x"),
        customers.request("DELETE", f"/contacts/{contact['id']}", rival, headers={"If_Match": '"1"'}),
        customers.request("PUT", f"/customers/{mine['id']}/contacts/{contact['id']}", rival, json={}),
        customers.request("DELETE", f"/customers/{customer['id']}/contacts/{contact['id']}", rival),
        customers.request("POST", "/contacts", rival, json={"name": "新", "customer_id": customer["id"]}),
    ]
    assert [(reply.status_code, reply.json["code"]) for reply in refusals] == [(409, "claim_first")] * 5
    assert customers.contact(organisation.operations, contact)["mobile"] == "13800138000"
    made = customers.new_contact(organisation.operations, name="新", customer_id=customer["id"])
    assert made["owner"] is None


def _share(customers: Any, customer: Any, member: Any, *, can_write: bool) -> None:
    with customers.database.transaction() as session:
        given = {"customer_id": UUID(customer["id"]), "member_id": member.id, "can_write": can_write}
        session.add(Collaborator(**given, added_by=member.id, added_at=now()))


def test_a_collaborator_who_reads_changes_no_contact(customers: Any) -> None:
    organisation = customers.organisation
    sales, reader, writer = organisation.sales, organisation.rival, organisation.colleague
    customer = customers.create(sales)
    contact = customers.new_contact(sales, name="陈工", customer_id=customer["id"], **NUMBERS)
    _share(customers, customer, reader, can_write=False)
    _share(customers, customer, writer, can_write=True)
    link = f"/customers/{customer['id']}/contacts/{contact['id']}"

    assert customers.contact(reader, contact)["mobile"] == "13800138000"
    assert [one["name"] for one in customers.contacts(reader)] == ["陈工"]
    refusals = [
        customers.patch_contact(reader, contact, remark="x"),
        customers.request("PUT", link, reader, json={"relation_type": "partner"}),
        customers.request("DELETE", link, reader),
        customers.request("POST", "/contacts", reader, json={"name": "新", "customer_id": customer["id"]}),
    ]
    assert [(reply.status_code, reply.json["code"]) for reply in refusals] == [(403, "read_only_collaborator")] * 4
    assert customers.patch_contact(writer, contact, remark="x").status_code == 200
    for member in (reader, writer):
        gone = customers.request("DELETE", f"/contacts/{contact['id']}", member, headers={"If_Match": '"2"'})
        assert (gone.status_code, gone.json["code"]) == (403, "contact_delete_own_only")


def test_a_lock_hides_the_contacts_of_its_customer(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    contact = customers.new_contact(organisation.sales, name="陈工", customer_id=customer["id"], **NUMBERS)
    _share(customers, customer, organisation.rival, can_write=True)
    with customers.database.transaction() as session:
        locked = update(Customer).where(Customer.id == UUID(customer["id"]))
        session.execute(locked.values(locked_at=now(), locked_by=organisation.sales.id))

    for member in (organisation.admin, organisation.supervisor, organisation.rival):
        assert customers.contact_status(member, contact) == 404
        assert customers.contacts(member) == customers.contacts(member, phone="1380") == []
    assert [one["name"] for one in customers.contacts(organisation.sales, phone="1380")] == ["陈工"]


def test_an_option_offered_no_more_stays_where_it_was_chosen(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)
    contact = customers.new_contact(
        sales, name="陈工", contact_group="user", customer_id=customer["id"], relation_type="partner"
    )
    with customers.database.transaction() as session:
        hidden = DictionaryOption.key.in_(["user", "partner"])
        session.execute(update(DictionaryOption).where(hidden).values(active=False))

    kept = customers.patch_contact(sales, contact, contact_group="user", remark="x")
    again = customers.link(sales, customer, contact, relation_type="partner")
    anew = {"name": "新", "contact_group": "user", "relation_type": "partner"}
    refused = customers.request("POST", "/contacts", sales, json=anew).json["errors"]

    assert (kept.json["contact_group"], again["customers"][0]["relation_type"]) == ("user", "partner")
    assert {error["pointer"]: error["code"] for error in refused} == {
        "/contact_group": "option_inactive",
        "/relation_type": "option_inactive",
    }


def test_numbers_are_read_where_one_way_shows_them(customers: Any) -> None:
    organisation = customers.organisation
    sales, rival = organisation.sales, organisation.rival
    pooled, owned = customers.create(sales, "公海的"), customers.create(sales, "自己的")
    contact = customers.new_contact(sales, name="陈工", customer_id=pooled["id"], **NUMBERS)
    customers.link(sales, owned, contact)
    customers.set_owner(contact, None)
    customers.move(pooled, 2, Place(pool_id=str(customers.open_pool)))

    assert customers.contact(sales, contact)["mobile"] == "13800138000"
    assert customers.contact(rival, contact)["mobile"] == "138****8000"
    assert [one["name"] for one in customers.contact(rival, contact)["customers"]] == ["公海的"]


def test_deleted_contacts_lie_in_the_recycle_bin_until_they_are_restored(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)
    contact = customers.new_contact(sales, name="陈工", customer_id=customer["id"], **NUMBERS)

    stale = customers.request("DELETE", f"/contacts/{contact['id']}", sales, headers={"If_Match": '"7"'})
    gone = customers.request("DELETE", f"/contacts/{contact['id']}", sales, headers={"If_Match": '"1"'})

    assert (stale.status_code, gone.status_code) == (412, 204)
    assert customers.contacts(sales) == customers.contacts_of(sales, customer) == []
    assert customers.request("GET", f"/customers/{customer['id']}", sales).json["contact"] is None
    (binned,) = customers.contacts(sales, view="deleted")
    assert binned["deleted_at"] is not None
    assert customers.contact(sales, contact)["name"] == "陈工"
    assert customers.patch_contact(sales, binned, remark="x").status_code == 404

    back = customers.request("POST", f"/contacts/{contact['id']}:restore", sales)

    assert (back.json["version"], back.json["deleted_at"]) == (3, None)
    assert back.json["customers"][0]["is_primary"]
    assert customers.request("GET", f"/customers/{customer['id']}", sales).json["contact"]["mobile"] == "13800138000"
    again = customers.request("POST", f"/contacts/{contact['id']}:restore", sales)
    assert again.json == back.json


def test_a_restored_contact_is_primary_only_where_nobody_else_is_meanwhile(customers: Any) -> None:
    sales = customers.organisation.sales
    first, second = customers.create(sales, "一"), customers.create(sales, "二")
    contact = customers.new_contact(sales, name="陈工", customer_id=first["id"])
    customers.link(sales, second, contact)
    customers.delete_contacts(sales, contact)
    customers.new_contact(sales, name="新人", customer_id=second["id"])

    customers.request("POST", "/contacts:restore", sales, json={"contact_ids": [contact["id"]]})

    links = {one["name"]: one["is_primary"] for one in customers.contact(sales, contact)["customers"]}
    assert links == {"一": True, "二": False}


def test_a_contact_of_a_deleted_customer_comes_back_with_it(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)
    contact = customers.new_contact(sales, name="陈工", customer_id=customer["id"])
    customers.delete_contacts(sales, contact)
    customers.request("DELETE", f"/customers/{customer['id']}", sales, headers={"If_Match": '"1"'})

    back = customers.request("POST", f"/contacts/{contact['id']}:restore", sales).json
    assert (back["customer"], back["customers"]) == (None, [])

    customers.request("POST", f"/customers/{customer['id']}:restore", sales)
    assert (
        customers.contact(sales, contact)["customers"][0].items() >= {"id": customer["id"], "is_primary": True}.items()
    )


def test_many_are_deleted_at_once_and_each_says_why_not(customers: Any) -> None:
    organisation = customers.organisation
    sales = organisation.sales
    mine = customers.new_contact(sales, name="我的")
    theirs = customers.create(organisation.rival)
    shared = customers.new_contact(organisation.rival, name="共同", customer_id=theirs["id"])
    customers.group(sales, organisation.rival)
    hidden = customers.new_contact(organisation.colleague, name="看不见")
    ids = [mine["id"], shared["id"], hidden["id"], mine["id"]]

    reply = customers.request("POST", "/contacts:delete", sales, json={"contact_ids": ids}).json

    assert [(row["contact_id"], row["outcome"], row["code"]) for row in reply["results"]] == [
        (mine["id"], "done", None),
        (shared["id"], "skipped", "contact_delete_own_only"),
        (hidden["id"], "skipped", "not_found"),
    ]
    assert (reply["total"], reply["succeeded"], reply["skipped"]) == (3, 1, 2)
    assert reply["results"][1]["message"].startswith("只能删除")
    assert [one["name"] for one in customers.contacts(sales, view="deleted")] == ["我的"]


def test_nothing_selected_and_too_much_are_refused(customers: Any) -> None:
    sales = customers.organisation.sales

    nothing = customers.request("POST", "/contacts:delete", sales, json={"contact_ids": []})
    many = customers.request("POST", "/contacts:restore", sales, json={"contact_ids": [str(new_id())] * 2})
    too_many = customers.request(
        "POST", "/contacts:delete", sales, json={"contact_ids": [str(new_id()) for _ in range(201)]}
    )

    assert (nothing.status_code, nothing.json["code"], nothing.json["detail"]) == (
        422,
        "select_contacts_first",
        "请先选择联系人信息。",
    )
    assert many.json["total"] == 1
    assert (too_many.status_code, too_many.json["code"]) == (422, "too_many_items")


def test_the_number_of_statements_does_not_depend_on_the_number_of_contacts(customers: Any) -> None:
    sales, statements = customers.organisation.sales, []
    customer = customers.create(sales)
    contacts = [customers.new_contact(sales, name=f"陈{number}", customer_id=customer["id"]) for number in range(12)]
    listen = lambda *given: statements.append(given[2])
    event.listen(customers.database.engine, "before_cursor_execute", listen)
    counts = []
    for some in (contacts[:1], contacts[1:]):
        for verb in ("delete", "restore"):
            del statements[:]
            body = {"contact_ids": [one["id"] for one in some]}
            assert customers.request("POST", f"/contacts:{verb}", sales, json=body).json["skipped"] == 0
            counts.append(len(statements))

    assert counts[:2] == counts[2:]


def test_who_lacks_the_permission_is_refused(customers: Any) -> None:
    organisation = customers.organisation
    contact = customers.new_contact(organisation.sales, name="陈工")
    customers.grant("sales", without=("customer.create", "customer.update", "customer.delete", "customer.read"))
    headers = {"If_Match": '"1"'}

    for method, path, permission in (
        ("POST", "/contacts", "create"),
        ("GET", "/contacts", "read"),
        ("GET", f"/contacts/{contact['id']}", "read"),
        ("GET", f"/contacts/{contact['id']}/history", "read"),
        ("PATCH", f"/contacts/{contact['id']}", "update"),
        ("DELETE", f"/contacts/{contact['id']}", "delete"),
        ("POST", f"/contacts/{contact['id']}:restore", "delete"),
        ("POST", "/contacts:delete", "delete"),
        ("POST", "/contacts:restore", "delete"),
    ):
        reply = customers.request(method, path, organisation.sales, json={"name": "x"}, headers=headers)
        assert (reply.status_code, reply.json["permission"]) == (403, f"customer.{permission}"), (method, path)


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"name": None}, "contact_name_missing"), ({"customer_id": str(new_id())}, "customer_not_found")],
)
def test_a_change_that_is_wrong_changes_nothing(customers: Any, changes: Any, code: str) -> None:
    sales = customers.organisation.sales
    contact = customers.new_contact(sales, name="陈工")

    reply = customers.patch_contact(sales, contact, remark="x", **changes)

    assert (reply.status_code, reply.json["errors"][0]["code"]) == (422, code)
    assert customers.contact(sales, contact) == contact


def test_a_repeated_creation_makes_one_contact(customers: Any) -> None:
    sales, headers = customers.organisation.sales, {"Idempotency_Key": "once"}

    replies = [customers.request("POST", "/contacts", sales, json={"name": "陈工"}, headers=headers) for _ in range(2)]

    assert replies[0].json == replies[1].json
    assert len(customers.contacts(sales)) == 1
