"""The customer list: views, conditions, search, pages."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from chassis.clock import now
from crm_customer.customers.model import Customer
from crm_customer.listing.rules import Filter, ListView, month_before, with_view
from tests.support.statements import statements_of


def _date(customers: Any, customer: Any, **moments: datetime) -> None:
    with customers.database.transaction() as session:
        session.execute(update(Customer).where(Customer.id == customer["id"]).values(**moments))


def test_views_show_their_days(customers: Any) -> None:
    sales = customers.organisation.sales
    old = customers.create(sales, "去年的")
    past = now() - timedelta(days=400)
    _date(customers, old, created_at=past, updated_at=past)
    customers.create(sales, "今天的")

    for view in ("created_today", "created_this_week", "created_this_month", "recently_updated"):
        assert customers.listed(sales, view=view) == ["今天的"]
    assert customers.listed(sales, view="all") == ["今天的", "去年的"]
    assert customers.listed(sales, view="created_today", search="去年") == []


def test_recently_updated_puts_the_last_change_first(customers: Any) -> None:
    sales = customers.organisation.sales
    first = customers.create(sales, "先建")
    customers.create(sales, "后建")

    customers.patch(sales, first, remark="改过")

    assert customers.listed(sales, view="recently_updated") == ["先建", "后建"]
    assert customers.listed(sales) == ["后建", "先建"]
    assert customers.listed(sales, sort="created_at") == ["先建", "后建"]


def test_views_begin_at_midnight_of_the_organisation_and_weeks_on_monday() -> None:
    # Sunday 22 November 2026, 23:30 in Shanghai.
    moment = datetime(2026, 11, 22, 15, 30, tzinfo=UTC)
    member = Customer().id

    def begins(view: ListView) -> Any:
        return with_view(Filter(), view, member, moment, "Asia/Shanghai").created_from

    assert begins(ListView.CREATED_TODAY) == datetime(2026, 11, 21, 16, tzinfo=UTC)
    assert begins(ListView.CREATED_THIS_WEEK) == datetime(2026, 11, 15, 16, tzinfo=UTC)
    assert begins(ListView.CREATED_THIS_MONTH) == datetime(2026, 10, 31, 16, tzinfo=UTC)
    assert month_before(datetime(2026, 3, 31, 8, tzinfo=UTC)) == datetime(2026, 2, 28, 8, tzinfo=UTC)


def test_a_page_asks_once_who_looks_what_they_see_which_customers_and_what_of_them(customers: Any) -> None:
    sales = customers.organisation.sales
    for name in ("甲", "乙", "丙"):
        customers.create(sales, name)

    with statements_of(customers.database) as sent:
        assert len(customers.listed(sales)) == 3

    # The member and the rights, the scope and the zone, the pools, how to plan, the ids, the customers. The list of three
    # needs no counting, what bears no tags no look at them.
    assert len(sent) == 6, sent


def test_conditions_are_combined(customers: Any) -> None:
    sales = customers.organisation.sales
    customers.create(sales, "甲", industry="education", source="other", province="江苏", city="南京")
    customers.create(sales, "乙", industry="education", company_nature="private", annual_turnover="over_500k")
    customers.create(sales, "丙", industry="other", rating=3)

    assert customers.listed(sales, industry="education") == ["乙", "甲"]
    assert customers.listed(sales, industry="教育/培训", source="other") == ["甲"]
    assert customers.listed(sales, company_nature="private", annual_turnover="50万以上") == ["乙"]
    assert customers.listed(sales, rating=3) == ["丙"]
    assert customers.listed(sales, province="江苏", city="南京") == ["甲"]
    assert customers.listed(sales, city="320100") == ["甲"]
    assert customers.listed(sales, owner_id=str(sales.id), industry="other") == ["丙"]
    assert customers.listed(sales, created_from=now().date() - timedelta(days=2), created_to="9999-12-31") != []
    assert customers.listed(sales, created_to="2026-01-01") == []


def test_names_are_found_by_any_part_without_regard_to_case_and_width(customers: Any) -> None:
    sales = customers.organisation.sales
    customers.create(sales, "北京华夏春松科技有限公司")
    customers.create(sales, "ＡＣＭＥ Trading 100%")

    for text in ("华夏", "春松科技", "北京华夏春松科技有限公司", "北", "科 技"):
        assert customers.listed(sales, search=text) == ["北京华夏春松科技有限公司"]
    for text in ("acme", "ADIN", "me tr", "100%", "ａ"):
        assert customers.listed(sales, search=text) == ["ＡＣＭＥ Trading 100%"]
    for text in ("夏华", "华松", "%", "_", "松"):
        assert customers.listed(sales, search=text) == []


def test_customers_are_found_by_the_beginning_of_a_mobile_number_and_by_address(customers: Any) -> None:
    sales = customers.organisation.sales
    customers.create(sales, "甲", contact={"mobile": "13800138000"}, province="江苏", city="南京")
    customers.create(sales, "乙138", address_detail="中山路1号")

    assert customers.listed(sales, search="138") == ["乙138", "甲"]
    assert customers.listed(sales, search="13800138000") == ["甲"]
    assert customers.listed(sales, search="0138") == []
    assert customers.listed(sales, address="江苏省南京") == ["甲"]
    assert customers.listed(sales, address="中山") == ["乙138"]
    assert customers.listed(sales, search="中山") == []


def test_a_changed_name_is_found_and_the_old_one_is_not(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales, "旧名称")

    customers.patch(sales, customer, name="新字号")

    assert customers.listed(sales, search="字号") == ["新字号"]
    assert customers.listed(sales, search="旧名") == []


def test_pages_hold_15_and_follow_each_other(customers: Any) -> None:
    sales = customers.organisation.sales
    names = [f"客户{number:02}" for number in range(17)]
    for name in names:
        customers.create(sales, name)

    def page(**query: Any) -> Any:
        return customers.request("GET", "/customers", sales, query_string=query).json

    first, second, beyond = page(), page(page=2), page(page=3)

    assert [item["name"] for item in first["items"] + second["items"]] == names[::-1]
    assert (first["page_size"], len(first["items"]), first["total"], first["total_is_estimate"]) == (15, 15, 17, False)
    assert (beyond["items"], beyond["total"]) == ([], 17)


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=99999999999999999999",
        "page_size=201",
        "page_size=0",
        "view=theirs",
        "sort=name",
        "owner_id=me",
        "search=" + "a" * 101,
        "search=a%00b",
        "industry=航天",
        "city=南京",
        "rating=9",
        "created_from=yesterday",
        "created_from=0",
        "address=京",
        "unknown=1",
    ],
)
def test_malformed_conditions_are_422(untouched: Any, query: str) -> None:
    reply = untouched.request("GET", f"/customers?{query}", untouched.organisation.sales)

    assert reply.status_code == 422
    assert reply.json["errors"]


@pytest.mark.parametrize(
    "query", ["created_from=0001-01-01", "created_to=9999-12-31", "search=%20", "address=", "page=1000000"]
)
def test_odd_but_readable_conditions_are_answered(customers: Any, query: str) -> None:
    assert customers.request("GET", f"/customers?{query}", customers.organisation.sales).status_code == 200
