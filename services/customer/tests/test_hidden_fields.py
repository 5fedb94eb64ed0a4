"""What a pool hides is neither read, filtered, searched nor matched before the claim (decision 0025)."""

from typing import Any
from uuid import UUID

import pytest

from chassis.identifiers import new_id
from chassis.rpc.client import on_behalf_of
from crm.common.v1.place_pb2 import Place
from crm.common.v1.selection_pb2 import CustomerFilter, FieldCondition, Selection
from crm.customer.v1 import customer_service_pb2 as pb
from crm.pool.v1 import pool_events_pb2 as events
from crm_customer.ownership.projection import keep_pools
from crm_customer.ownership.rules import hidden_by
from directory.permissions import Permission

OWN = {
    "industry": "education",
    "rating": 3,
    "province": "江苏省",
    "city": "南京市",
    "address_detail": "中山路1号",
    "remark": "老板爱喝茶",
    "wechat_nickname": "春松小助手",
    "postcode": "210000",
    "level": "a",
}
CONTACT = {"name": "王磊", "mobile": "13800138000", "position": "采购经理", "remark": "周五下午在"}


def _pool(customers: Any, *hidden: str, version: int = 1, id_: UUID | None = None, **opened: Any) -> UUID:
    """A public pool that hides these fields."""
    pool_id = id_ or new_id()
    state = {"open_to_all": True} if not opened else {name: [str(id_) for id_ in ids] for name, ids in opened.items()}
    pool = events.Pool(
        id=str(pool_id),
        version=version,
        name="公海二",
        kind=events.PoolKind.POOL_KIND_PUBLIC,
        hidden_fields=hidden,
        **state,
    )
    with customers.database.transaction() as session:
        keep_pools(session, [pool])
    return pool_id


def _put(customers: Any, pool_id: UUID, **fields: Any) -> Any:
    """A customer of sales with everything filled in, which lies in the pool."""
    customer = customers.create(customers.organisation.sales, **{**OWN, "contact": CONTACT, **fields})
    customers.move(customer, 2, Place(pool_id=str(pool_id)))
    return customer


def _read(customers: Any, member: Any, customer: Any) -> Any:
    reply = customers.request("GET", f"/customers/{customer['id']}", member)
    assert reply.status_code == 200, reply.text
    return reply.json


def test_hidden_fields_are_masked_wherever_the_customer_is_read(customers: Any) -> None:
    organisation = customers.organisation
    field = {"zh": "预算", "en": "Budget", "kind": "number", "filterable": True}
    key = customers.request("POST", "/fields", organisation.admin, json=field).json["key"].removeprefix("custom.")
    hidden = ("remark", "wechat_nickname", "rating", "level", "contact.name", "contact.position", "contact.remark")
    pool_id = _pool(customers, *hidden, f"custom.{key}", "profile.description", "profile.employees")
    profile = {"description": "去年采购三次", "employees": 70, "website": "https://a.cn"}
    customer = _put(customers, pool_id, custom={key: "900"}, profile=profile)
    customers.request("GET", f"/customers/{customer['id']}", organisation.sales)

    seen = _read(customers, organisation.rival, customer)
    (listed,) = customers.request("GET", "/customers", organisation.rival).json["items"]

    assert {name: listed[name] for name in ("remark", "wechat_nickname", "rating", "level", "custom", "industry")} == {
        "remark": "****",
        "wechat_nickname": "****",
        "rating": None,
        "level": None,
        "custom": {},
        "industry": "education",
    }
    assert listed["contact"].items() >= {"name": "****", "position": "****", "mobile": CONTACT["mobile"]}.items()
    assert listed["hidden_fields"] == sorted([*hidden, f"custom.{key}", "profile.description", "profile.employees"])
    assert seen["profile"].items() >= {"description": "****", "employees": None, "website": "https://a.cn"}.items()
    assert {name: seen[name] for name in listed} == listed
    history = customers.request("GET", f"/customers/{customer['id']}/history", organisation.rival)
    contacts = customers.contacts_of(organisation.rival, customer)
    changes = customers.request("GET", f"/contacts/{contacts[0]['id']}/history", organisation.rival)
    for told in (str(seen), str(listed), history.text, str(contacts), changes.text):
        for secret in ("喝茶", "小助手", "王磊", "采购", "周五", "900"):
            assert secret not in told
    assert _read(customers, organisation.supervisor, customer)["remark"] == OWN["remark"]
    assert _read(customers, organisation.supervisor, customer)["hidden_fields"] == []


def test_nothing_is_hidden_once_somebody_owns_the_customer(customers: Any) -> None:
    organisation = customers.organisation
    customer = _put(customers, _pool(customers, "remark", "contact.mobile"))

    customers.move(customer, 3, Place(owner_id=str(organisation.rival.id)))

    seen = _read(customers, organisation.rival, customer)
    assert (seen["remark"], seen["contact"]["mobile"], seen["hidden_fields"]) == (OWN["remark"], "13800138000", [])


ASKED: list[tuple[str, dict[str, Any]]] = [
    ("industry", {"industry": "education"}),
    ("rating", {"rating": 3}),
    ("city", {"city": "南京市", "province": "江苏省"}),
    ("address_detail", {"address": "中山路"}),
    ("city", {"address": "中山路"}),
    ("address", {"province": "江苏省"}),
    ("wechat_nickname", {"search": "小助手"}),
    ("contact.mobile", {"search": "13800138000"}),
    ("contact.phone", {"search": "8000"}),
    ("level", {"conditions": '[{"field": "level", "operator": "any_of", "values": ["a"]}]'}),
    ("level", {"conditions": '[{"field": "level", "operator": "none_of", "values": ["b"]}]'}),
    ("level", {"conditions": '[{"field": "level", "operator": "filled"}]'}),
    ("rating", {"conditions": '[{"field": "rating", "operator": "any_of", "values": ["3"]}]'}),
    ("address", {"conditions": '[{"field": "address", "operator": "contains", "values": ["中山"]}]'}),
    ("wechat_nickname", {"conditions": '[{"field": "wechat_nickname", "operator": "contains", "values": ["助手"]}]'}),
]


@pytest.mark.parametrize(("field", "query"), ASKED)
def test_a_hidden_field_finds_no_customer_in_the_pool_and_others_elsewhere(
    customers: Any, field: str, query: dict[str, Any]
) -> None:
    rival = customers.organisation.rival
    hiding, showing = _pool(customers, field), _pool(customers)
    _put(customers, hiding, name="藏着的")
    _put(customers, showing, name="看得见的")

    assert customers.listed(rival, **query) == ["看得见的"]
    assert customers.listed(rival, **query, pool_id=str(showing)) == ["看得见的"]
    assert customers.listed(rival, **query, pool_id=str(hiding)) == []
    assert sorted(customers.listed(customers.organisation.supervisor, **query)) == ["看得见的", "藏着的"]


def test_the_name_finds_a_customer_whose_nickname_is_hidden(customers: Any) -> None:
    """One that bears the words in both is found by its name, and never masked: by it the customer is claimed."""
    rival = customers.organisation.rival
    customer = _put(customers, _pool(customers, "wechat_nickname", "name"), name="春松小助手科技")

    assert customers.listed(rival, search="小助手") == ["春松小助手科技"]
    assert customers.listed(rival, search="csxzs") == ["春松小助手科技"]
    assert _read(customers, rival, customer)["hidden_fields"] == ["wechat_nickname"]


def test_an_indexed_custom_field_that_is_hidden_finds_nothing(customers: Any) -> None:
    organisation = customers.organisation
    field = {"zh": "规模", "en": "Size", "kind": "text", "filterable": True}
    key = customers.request("POST", "/fields", organisation.admin, json=field).json["key"].removeprefix("custom.")
    _put(customers, _pool(customers, f"custom.{key}"), name="藏着的", custom={key: "很大"})
    _put(customers, _pool(customers), name="看得见的", custom={key: "很大"})
    asked = f'[{{"field": "custom.{key}", "operator": "any_of", "values": ["很大"]}}]'

    assert customers.listed(organisation.rival, conditions=asked) == ["看得见的"]


@pytest.mark.parametrize(
    ("field", "query"),
    [
        ("contact.name", {"name": "王磊"}),
        ("contact.position", {"position": "经理"}),
        ("contact.mobile", {"phone": "13800138000"}),
        ("contact.birthday", {"birthday_from": "01-01", "birthday_to": "12-31"}),
    ],
)
def test_a_hidden_field_of_contacts_finds_no_contact_in_the_pool(
    customers: Any, field: str, query: dict[str, Any]
) -> None:
    organisation = customers.organisation
    for pool_id, name in ((_pool(customers, field), "藏着的"), (_pool(customers), "看得见的")):
        customer = customers.create(organisation.sales, name)
        values = {**CONTACT, "birthday": "1990-05-06", "customer_id": customer["id"]}
        contact = customers.new_contact(organisation.sales, **values)
        customers.set_owner(contact, None)
        customers.move(customer, 2, Place(pool_id=str(pool_id)))

    def found(member: Any) -> list[str]:
        return sorted(one["customer"]["name"] for one in customers.contacts(member, **query))

    assert found(organisation.rival) == ["看得见的"]
    assert found(organisation.supervisor) == ["看得见的", "藏着的"]


def test_a_contact_shows_what_one_of_the_ways_to_it_shows(customers: Any) -> None:
    organisation = customers.organisation
    first, second = customers.create(organisation.sales), customers.create(organisation.sales, "第二家")
    contact = customers.new_contact(organisation.sales, **CONTACT, customer_id=first["id"])
    customers.link(organisation.sales, second, contact)
    customers.set_owner(contact, None)
    customers.move(first, 2, Place(pool_id=str(_pool(customers, "contact.mobile", "contact.remark"))))
    customers.move(second, 2, Place(pool_id=str(_pool(customers, "contact.mobile", "contact.position"))))

    seen = customers.contact(organisation.rival, contact)

    assert (seen["mobile"], seen["remark"], seen["position"]) == ("138****8000", CONTACT["remark"], CONTACT["position"])
    assert customers.patch_contact(organisation.rival, seen, remark="x").json["code"] == "claim_first"


def test_a_pool_that_hides_nothing_is_claimed_from_before_anything_changes(customers: Any) -> None:
    rival = customers.organisation.rival
    customer = _put(customers, _pool(customers))

    seen = _read(customers, rival, customer)

    assert (seen["contact"]["mobile"], seen["contact_masked"]) == ("13800138000", False)
    assert customers.patch(rival, seen, remark="x").json["code"] == "claim_first"


def test_an_import_learns_of_a_number_only_where_the_pool_shows_it(customers: Any, importer: Any) -> None:
    """Elsewhere somebody has it: nobody says who."""
    rival, showing = customers.organisation.rival, _pool(customers)
    _put(customers, _pool(customers, "contact.mobile"))
    _put(customers, showing, contact={"name": "李梅", "mobile": "13900139000"})
    rows = [{"name": mobile, "contact.mobile": mobile} for mobile in (CONTACT["mobile"], "13900139000")]

    results = importer.write(*rows, match_fields=["contact.mobile"], actor=rival)

    assert [one.problems[0].code for one in results] == ["exists_out_of_scope", "customer_exists"]


def test_a_selection_finds_nothing_by_hidden_fields(customers: Any, rpc: Any) -> None:
    organisation = customers.organisation
    customer = _put(customers, _pool(customers, "level"))
    asked = FieldCondition(field="level", operator="any_of", values=["a"])
    request = pb.ResolveSelectionRequest(selection=Selection(filter=CustomerFilter(conditions=[asked])))

    def selected(member: Any) -> list[str]:
        return list(rpc("pool").ResolveSelection(request, metadata=on_behalf_of(member.id)).customer_ids)

    assert selected(organisation.rival) == []
    assert selected(organisation.supervisor) == [customer["id"]]


def test_what_a_pool_hides_follows_its_newest_version(customers: Any) -> None:
    rival = customers.organisation.rival
    pool_id = _pool(customers, "remark", version=2)
    customer = _put(customers, pool_id)

    _pool(customers, "industry", version=1, id_=pool_id)
    assert _read(customers, rival, customer)["hidden_fields"] == ["remark"]
    _pool(customers, "industry", version=3, id_=pool_id)
    assert _read(customers, rival, customer)["hidden_fields"] == ["industry"]


def test_a_pool_of_roles_and_of_administrators_is_seen_by_these(customers: Any) -> None:
    organisation = customers.organisation
    closed, run = new_id(), new_id()
    _pool(customers, id_=closed, role_ids=[organisation.role_ids["sales"]])
    _pool(customers, id_=run, admin_ids=[organisation.rival.id])
    _put(customers, closed, name="给销售的")
    _put(customers, run, name="给管理员的")

    assert customers.listed(organisation.sales) == ["给销售的"]
    assert sorted(customers.listed(organisation.rival)) == ["给管理员的", "给销售的"]


def test_an_administrator_of_a_pool_reads_hidden_fields_only_with_the_right(customers: Any) -> None:
    organisation = customers.organisation
    pool_id = new_id()
    _pool(customers, "remark", id_=pool_id, admin_ids=[organisation.rival.id])
    customer = _put(customers, pool_id)

    assert _read(customers, organisation.rival, customer)["remark"] == "****"
    customers.grant("sales", Permission.CUSTOMER_CONTACTS_IN_POOL)
    assert _read(customers, organisation.rival, customer)["remark"] == OWN["remark"]


@pytest.mark.parametrize(
    ("chosen", "hidden"),
    [
        ([], []),
        (["name", "tags", "remark"], ["remark"]),
        (["address"], ["address", "address_detail", "city", "province"]),
        (["city"], ["address", "city"]),
    ],
)
def test_an_address_is_hidden_with_its_parts_and_a_name_never(chosen: list[str], hidden: list[str]) -> None:
    assert sorted(hidden_by(chosen)) == hidden
