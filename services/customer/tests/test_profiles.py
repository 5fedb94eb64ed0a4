"""Extended columns of a customer (T-1), its parent (A-79), and the counters of its page (A-62)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text, update

from chassis.clock import now
from chassis.identifiers import new_id
from crm.common.v1.place_pb2 import Place
from crm_customer.collaboration.model import Collaborator
from crm_customer.customers.model import Customer
from crm_customer.profiles.model import CustomerProfile

FULL = {
    "website": "https://www.highsea.example/关于?x=1",
    "email": "info@highsea.com.cn",
    "non_primary_emails": ["a@highsea.cn", "b@highsea.cn"],
    "phone_office": "025-8888 6666",
    "phone_alternate": "400-800-1234",
    "fax": "025-88886667",
    "billing_street": "中山路1号",
    "billing_city": "南京",
    "billing_province": "江苏",
    "billing_postcode": "210000",
    "billing_country": "中国",
    "shipping_street": "1 Main Street",
    "shipping_city": "London",
    "shipping_province": "Greater London",
    "shipping_postcode": "SW1A 1AA",
    "shipping_country": "United Kingdom",
    "description": "老客户\n第二行",
    "annual_revenue": "100000000",
    "employees": 200,
    "sic_code": "7372",
    "ticker_symbol": "600000.SH",
    "ownership": "私有",
    "campaign_id": "0190a7b2-0000-7000-8000-000000000001",
    "address": "南京市中山路1号",
    "geocode_status": "OK",
    "latitude": "0.00000000",
    "longitude": "118.79690000",
    "aliases": ["春松", "Chatopera Inc. (HK)"],
    "credit_code": "91110108551385082Q",
}


def _read(customers: Any, customer: Any, member: Any = None) -> Any:
    reply = customers.request("GET", f"/customers/{customer['id']}", member or customers.organisation.sales)
    assert reply.status_code == 200, reply.text
    return reply.json


def _rows(customers: Any) -> int:
    with customers.database.reading() as session:
        return session.scalar(select(func.count()).select_from(CustomerProfile)) or 0


def test_every_extended_column_is_kept_as_it_was_written(customers: Any) -> None:
    sales = customers.organisation.sales
    parent = customers.create(sales, "总公司")

    customer = customers.create(sales, "分公司", profile={**FULL, "parent_customer_id": parent["id"]})

    shown = {"id": parent["id"], "name": "总公司", "deleted": False}
    assert customer["profile"] == {**FULL, "parent_customer_id": parent["id"], "parent": shown}
    assert _read(customers, customer) == customer
    (entry,) = customers.request("GET", f"/customers/{customer['id']}/history", sales).json["items"]
    assert ("profile.website", FULL["website"]) in [(change["field"], change["after"]) for change in entry["changes"]]
    listed = customers.request("GET", "/customers?search=分公司", sales).json["items"]
    assert "profile" not in listed[0]


def test_there_is_a_row_only_where_something_is_filled(customers: Any) -> None:
    sales = customers.organisation.sales
    plain = customers.create(sales, "无", profile={"website": " ", "fax": None})
    one = customers.create(sales, "有", profile={"fax": "025-1", "sic_code": "1"})

    assert (plain["profile"], _rows(customers)) == (None, 1)
    changed = customers.patch(sales, one, profile={"fax": ""}).json
    assert (changed["profile"]["fax"], changed["profile"]["sic_code"], changed["version"]) == (None, "1", 2)
    emptied = customers.patch(sales, changed, profile=None).json
    assert (emptied["profile"], emptied["version"], _rows(customers)) == (None, 3, 0)
    assert customers.patch(sales, emptied, profile=None).json["version"] == 3
    items = customers.request("GET", f"/customers/{one['id']}/history", sales).json["items"]
    assert items[0]["changes"] == [{"field": "profile.sic_code", "before": "1", "after": None}]


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("website", "javascript:alert(1)", "url_invalid"),
        ("website", "localhost", "url_invalid"),
        ("website", "www." + "a" * 250 + ".cn", "string_too_long"),
        ("email", "a@b", "email_invalid"),
        ("non_primary_emails", ["a@b.cn", "nonsense"], "email_invalid"),
        ("non_primary_emails", "; ".join(f"a{number}@b.cn" for number in range(21)), "too_many_items"),
        ("non_primary_emails", [1], "string_type"),
        ("phone_office", "1" * 21, "string_too_long"),
        ("billing_postcode", "21000", "postcode_invalid"),
        ("shipping_postcode", "ABC", "postcode_invalid"),
        ("annual_revenue", "1.005", "number_invalid"),
        ("annual_revenue", "-1", "out_of_range"),
        ("annual_revenue", "很多", "number_invalid"),
        ("annual_revenue", True, "string_type"),
        ("employees", "2.5", "number_invalid"),
        ("employees", 3_000_000_000, "out_of_range"),
        ("latitude", "90.1", "out_of_range"),
        ("longitude", -180.5, "out_of_range"),
        ("campaign_id", "12", "uuid_parsing"),
        ("aliases", [f"别名{number}" for number in range(21)], "too_many_items"),
        ("aliases", ["名" * 101], "string_too_long"),
        ("credit_code", "91110108551385082P", "credit_code_invalid"),
        ("credit_code", "9111010855138508", "credit_code_invalid"),
        ("credit_code", "91110108551385082I", "credit_code_invalid"),
        ("description", "a\0b", "null_character"),
        ("nonsense", "1", "extra_forbidden"),
    ],
)
def test_a_wrong_column_is_named_and_nothing_is_saved(customers: Any, column: str, value: Any, code: str) -> None:
    body = {"name": "春松", "profile": {column: value}}

    reply = customers.request("POST", "/customers", customers.organisation.sales, json=body)

    assert reply.status_code == 422, reply.text
    assert [(error["pointer"], error["code"]) for error in reply.json["errors"]] == [(f"/profile/{column}", code)]
    assert customers.listed(customers.organisation.sales) == []


@pytest.mark.parametrize("value", ["很多", "-1", "1.005"])
def test_words_about_a_wrong_column_are_in_the_callers_language(customers: Any, value: str) -> None:
    body = {"name": "春松", "profile": {"annual_revenue": value}}
    headers = {"Accept_Language": "en"}

    replies = [
        customers.request("POST", "/customers", customers.organisation.sales, json=body, headers=more)
        for more in ({}, headers)
    ]

    words = [reply.json["errors"][0]["message"] for reply in replies]
    assert "{" not in "".join(words)
    assert words[0] != words[1]


def test_a_postcode_is_judged_with_the_country_that_the_customer_will_have(customers: Any) -> None:
    sales = customers.organisation.sales
    abroad = customers.create(sales, profile={"billing_postcode": "SW1A 1AA", "billing_country": "UK"})

    home = customers.patch(sales, abroad, profile={"billing_country": " China "})
    fixed = customers.patch(sales, abroad, profile={"billing_country": "中国", "billing_postcode": "210000"})
    unrelated = customers.patch(sales, fixed.json, profile={"shipping_country": "UK", "shipping_postcode": "N1"})

    assert [error["pointer"] for error in home.json["errors"]] == ["/profile/billing_postcode"]
    assert (fixed.status_code, unrelated.status_code) == (200, 200)


def test_numbers_and_lists_are_taken_in_the_ways_people_write_them(customers: Any) -> None:
    written = {
        "annual_revenue": 1_000_000.5,
        "employees": "1,200",
        "latitude": 31.2304,
        "longitude": "+121.473700001",
        "non_primary_emails": "a@b.cn；A@B.cn, c@d.com.cn",
        "website": "www.example.cn",
    }

    profile = customers.create(customers.organisation.sales, profile=written)["profile"]

    assert {name: profile[name] for name in written} == {
        "annual_revenue": "1000000.50",
        "employees": 1200,
        "latitude": "31.23040000",
        "longitude": "121.47370000",
        "non_primary_emails": ["a@b.cn", "c@d.com.cn"],
        "website": "www.example.cn",
    }


def test_aliases_and_codes_are_cleaned_and_aliases_are_found_as_long_as_they_are_there(customers: Any) -> None:
    sales = customers.organisation.sales
    written = {"aliases": "春松；Chatopera、 chatopera ；", "credit_code": "9111 0108-5513 8508 2ｑ"}

    def kept() -> list[tuple[str, str]]:
        with customers.database.reading() as session:
            return [
                tuple(row) for row in session.execute(text("SELECT name, core FROM customer_aliases ORDER BY name"))
            ]

    customer = customers.create(sales, "北京华夏春松", profile=written)
    assert customer["profile"]["aliases"] == ["春松", "Chatopera"]
    assert customer["profile"]["credit_code"] == "91110108551385082Q"
    assert kept() == [("chatopera", "chatopera"), ("春松", "春松")]
    changed = customers.patch(sales, customer, profile={"aliases": ["云溪食品有限公司"]}).json
    assert kept() == [("云溪食品有限公司", "云溪食品")]
    changed = customers.patch(sales, changed, profile={"fax": "1"}).json
    assert len(kept()) == 1
    customers.patch(sales, changed, profile=None)
    assert kept() == []


def test_a_number_for_a_range_is_kept_and_one_to_be_kept_picks_its_range(customers: Any) -> None:
    sales = customers.organisation.sales

    ranged = customers.create(sales, annual_turnover="150000", employee_count="50人以上")
    exact = customers.create(sales, profile={"annual_revenue": "150000.5", "employees": 3})
    both = customers.create(sales, annual_turnover="0-10万", profile={"annual_revenue": "150000"})

    assert (ranged["annual_turnover"], ranged["profile"]["annual_revenue"]) == (exact["annual_turnover"], "150000")
    assert (ranged["employee_count"] is None, ranged["profile"]["employees"]) == (False, None)
    assert (exact["employee_count"], exact["profile"]["employees"]) == (None, 3), "below every range"
    assert both["annual_turnover"] != exact["annual_turnover"]
    assert both["profile"]["annual_revenue"] == "150000"


def test_others_changes_of_columns_are_shown_at_a_clash(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales, profile={"fax": "1", "sic_code": "1"})
    customers.patch(sales, customer, profile={"fax": "2"})

    reply = customers.patch(sales, customer, profile={"fax": "3", "sic_code": "4"})

    assert reply.status_code == 412
    assert reply.json["conflicts"] == [{"field": "profile.fax", "current": "2", "yours": "3"}]


def test_mails_and_numbers_are_masked_in_pools_also_in_the_history(customers: Any) -> None:
    organisation = customers.organisation
    profile = {name: FULL[name] for name in ("email", "non_primary_emails", "phone_office", "fax", "website")}
    customer = customers.create(organisation.sales, "入海", profile=profile)
    customers.move(customer, 2, Place(pool_id=str(customers.open_pool)))

    seen = _read(customers, customer, organisation.colleague)
    (entry,) = customers.request("GET", f"/customers/{customer['id']}/history", organisation.colleague).json["items"]
    told = {change["field"]: change["after"] for change in entry["changes"]}

    masked = {"email": "i***@***.cn", "non_primary_emails": ["a***@***.cn", "b***@***.cn"], "website": FULL["website"]}
    assert {name: seen["profile"][name] for name in masked} == masked
    assert {name: told[f"profile.{name}"] for name in masked} == masked
    assert {seen["profile"]["phone_office"], seen["profile"]["fax"], told["profile.fax"]} == {"****"}
    assert _read(customers, customer, organisation.admin)["profile"]["email"] == FULL["email"]


def test_a_parent_must_be_a_visible_customer_that_is_not_deleted(customers: Any) -> None:
    organisation = customers.organisation
    foreign = customers.create(organisation.rival, "别人的")
    gone = customers.create(organisation.sales, "删掉的")
    child = customers.create(organisation.sales, "子", profile={"parent_customer_id": gone["id"]})
    path = f"/customers/{gone['id']}"
    customers.request("DELETE", path, organisation.sales, headers={"If_Match": '"1"'})

    for wrong in (foreign["id"], str(new_id())):
        reply = customers.patch(organisation.sales, child, profile={"parent_customer_id": wrong})
        assert reply.json["errors"][0]["code"] == "parent_not_found"
    new = {"name": "新", "profile": {"parent_customer_id": gone["id"]}}
    refused = customers.request("POST", "/customers", organisation.sales, json=new)
    kept = customers.patch(organisation.sales, child, name="子公司", profile={"parent_customer_id": gone["id"]})

    assert refused.json["errors"][0]["code"] == "parent_not_found"
    assert kept.status_code == 200, "what was there before its deletion stays"
    assert kept.json["profile"]["parent"] == {"id": gone["id"], "name": "删掉的", "deleted": True}


def test_the_name_of_a_parent_out_of_sight_is_not_told(customers: Any) -> None:
    organisation = customers.organisation
    parent = customers.create(organisation.sales, "机密")
    child = customers.create(organisation.sales, "子", profile={"parent_customer_id": parent["id"]})
    customers.move(child, 2, Place(owner_id=str(organisation.rival.id)))

    seen = _read(customers, child, organisation.rival)["profile"]["parent"]

    assert seen == {"id": parent["id"], "name": None, "deleted": False}


def test_no_customer_lies_below_itself(customers: Any) -> None:
    sales = customers.organisation.sales
    top = customers.create(sales, "甲")
    middle = customers.create(sales, "乙", profile={"parent_customer_id": top["id"]})
    low = customers.create(sales, "丙", profile={"parent_customer_id": middle["id"]})

    for parent in (top, middle, low):
        reply = customers.patch(sales, top, profile={"parent_customer_id": parent["id"]})
        assert (reply.status_code, reply.json["errors"][0]["code"]) == (422, "parent_cycle")
    assert customers.patch(sales, low, profile={"parent_customer_id": top["id"]}).status_code == 200


def test_two_customers_made_each_others_parent_at_once_do_not_both_succeed(customers: Any) -> None:
    sales = customers.organisation.sales
    for attempt in range(5):
        pair = [customers.create(sales, f"{name}{attempt}") for name in "甲乙"]
        barrier = Barrier(2)

        def place(index: int, pair: Any = pair, barrier: Barrier = barrier) -> int:
            barrier.wait()
            other = pair[1 - index]["id"]
            return customers.patch(sales, pair[index], profile={"parent_customer_id": other}).status_code

        with ThreadPoolExecutor(2) as threads:
            assert sorted(threads.map(place, range(2))) == [200, 422]


def test_the_page_of_a_customer_counts_what_it_has(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)
    kinds = (
        "contacts",
        "collaborators",
        "follow_ups",
        "logs",
        "tasks",
        "schedule_entries",
        "files",
        "opportunities",
        "orders",
    )
    assert customer["counters"] == dict.fromkeys(kinds, 0)

    with_contact = customers.patch(sales, customer, contact={"mobile": "13800138000"}).json
    without = customers.patch(sales, with_contact, contact=None).json

    assert (with_contact["counters"]["contacts"], without["counters"]["contacts"]) == (1, 0)


def test_the_tabs_of_a_customer_count_what_was_added_and_not_what_was_deleted(customers: Any) -> None:
    """A-62, F-05, F-20, F-32."""
    sales = customers.organisation.sales
    customer = customers.create(sales)
    of = {"customer_id": customer["id"]}
    log = {"kind": "log", "title": "标题", "content": "内容"}
    follow_up = {"kind": "follow_up", "method": "phone", "content": "已联系"}
    made = [
        customers.request("POST", path, sales, json=of | body)
        for path, body in (("/activities", log), ("/activities", follow_up), ("/tasks", {"subject": "回访"}))
    ]
    assert {reply.status_code for reply in made} == {201}

    counters = _read(customers, customer)["counters"]
    task = made[2].json
    customers.request("DELETE", f"/tasks/{task['id']}", sales, headers={"If_Match": f'"{task["version"]}"'})

    assert {name: count for name, count in counters.items() if count} == {"follow_ups": 1, "logs": 1, "tasks": 1}
    assert _read(customers, customer)["counters"]["tasks"] == 0


def test_the_name_of_a_locked_parent_is_not_told_to_others(customers: Any) -> None:
    organisation = customers.organisation
    parent = customers.create(organisation.sales, "机密")
    child = customers.create(organisation.sales, "子", profile={"parent_customer_id": parent["id"]})
    with customers.database.transaction() as session:
        locked = {"locked_at": now(), "locked_by": organisation.sales.id}
        session.execute(update(Customer).where(Customer.id == parent["id"]).values(locked))

    names = [
        _read(customers, child, member)["profile"]["parent"]["name"]
        for member in (organisation.sales, organisation.admin)
    ]

    assert names == ["机密", None]


def test_of_a_customer_that_another_has_locked_no_column_and_counter_is_told(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales, profile={"fax": "1"})
    customers.request("POST", f"/customers/{customer['id']}:lock", organisation.sales)

    seen = _read(customers, customer, organisation.admin)

    assert (seen["locked"]["by"]["name"], seen["profile"], seen["counters"]) == ("张三", None, None)
    assert _read(customers, customer)["profile"]["fax"] == "1"


def test_collaborators_are_counted_until_their_time_ends_and_see_the_columns(customers: Any) -> None:
    organisation, moment = customers.organisation, now()
    customer = customers.create(organisation.sales, profile={"fax": "025-1"})
    added = {"customer_id": customer["id"], "added_by": organisation.sales.id, "added_at": moment}
    with customers.database.transaction() as session:
        for member, until in ((organisation.rival, None), (organisation.rival_supervisor, moment - timedelta(days=1))):
            session.execute(insert(Collaborator).values(member_id=member.id, until=until, **added))

    seen = _read(customers, customer, organisation.rival)

    assert (seen["counters"]["collaborators"], seen["profile"]["fax"]) == (1, "025-1")
