"""Lists, the board and the totals of opportunities: what they show, to whom, and how they add up."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from crm.common.v1.place_pb2 import Place
from crm_customer.opportunities.model import Opportunity
from crm_customer.opportunity_list.rules import months_before, months_between, stages_in_order
from directory.permissions import Permission


def _made(customers: Any, member: Any, customer: Any, name: str, **fields: Any) -> Any:
    body = {"customer_id": customer["id"], "name": name} | fields
    reply = customers.request("POST", "/opportunities", member, json=body)
    assert reply.status_code == 201, reply.text
    return reply.json


def _lose(customers: Any, member: Any, opportunity: Any) -> None:
    path = f"/opportunities/{opportunity['id']}:lose"
    assert customers.request("POST", path, member, json={"reason": "price"}).status_code == 200


def _set(customers: Any, opportunity: Any, **values: Any) -> None:
    with customers.database.transaction() as session:
        session.execute(update(Opportunity).where(Opportunity.id == UUID(opportunity["id"])).values(**values))


def _page(customers: Any, member: Any, **query: Any) -> Any:
    reply = customers.request("GET", "/opportunities", member, query_string=query)
    assert reply.status_code == 200, reply.text
    return reply.json


def _names(customers: Any, member: Any, **query: Any) -> list[str]:
    page = _page(customers, member, **query)
    assert page["total"] == len(page["items"])
    return [item["name"] for item in page["items"]]


def test_the_three_lists_conditions_and_orders(customers: Any) -> None:
    sales = customers.organisation.sales
    first, second = customers.create(sales, "华夏春松"), customers.create(sales, "江南造船")
    _made(customers, sales, first, "年度 采购", amount="300", expected_on="2027-03-01")
    small = _made(customers, sales, second, "小额试单", amount="20.5", currency="usd", expected_on="2027-01-15")
    lost = _made(customers, sales, second, "丢掉的单")
    won = _made(customers, sales, first, "成交的单", amount="7")
    _lose(customers, sales, lost)
    _set(customers, won, stage="won", closed_at="2026-02-03T00:00:00Z", created_at="2026-01-31T16:00:00Z")

    def names(**query: Any) -> list[str]:
        return _names(customers, sales, **query)

    assert names() == ["丢掉的单", "小额试单", "年度 采购", "成交的单"]
    assert names(sort="created_at") == names()[::-1]
    assert names(list="open") == ["小额试单", "年度 采购"]
    assert (names(list="won"), names(list="lost")) == (["成交的单"], ["丢掉的单"])
    assert names(sort="-amount") == ["年度 采购", "小额试单", "成交的单", "丢掉的单"]
    assert names(sort="expected_on")[:2] == ["小额试单", "年度 采购"]
    assert names(sort="-closed_at") == ["丢掉的单", "成交的单"]
    assert names(stage="初始阶段", customer_id=second["id"]) == ["小额试单"]
    assert names(owner_id=str(customers.organisation.rival.id)) == []
    assert names(currency="USD") == ["小额试单"]
    assert names(amount_from="7", amount_to="20.50") == ["小额试单", "成交的单"]
    assert names(expected_from="2027-01-15", expected_to="2027-02-28") == ["小额试单"]
    # Days are the organisation's: 16:00 UTC is the next day in Shanghai.
    assert names(created_from="2026-02-01", created_to="2026-02-01") == ["成交的单"]
    assert names(closed_from="2026-02-03", closed_to="2026-02-03") == ["成交的单"]
    assert names(search="采购") == names(search="度采") == ["年度 采购"]
    assert names(search="春松") == ["年度 采购", "成交的单"]
    assert names(search=str(small["number"])) == ["小额试单"]
    assert names(search="没有") == names(search="%") == []


def test_the_recycle_bin_shows_what_the_reader_may_restore(customers: Any) -> None:
    organisation = customers.organisation
    sales = organisation.sales
    kept, pooled = customers.create(sales, "在手客户"), customers.create(sales, "回池客户")
    for customer in (kept, pooled):
        deleted = _made(customers, sales, customer, customer["name"])
        headers = {"If_Match": f'"{deleted["version"]}"'}
        assert customers.request("DELETE", f"/opportunities/{deleted['id']}", sales, headers=headers).status_code == 204
    _made(customers, sales, kept, "留下的")
    customers.move(pooled, 2, Place(pool_id=str(customers.open_pool)))

    assert _names(customers, sales) == ["留下的"]
    assert _names(customers, sales, deleted=True) == ["在手客户"]
    assert _names(customers, sales, deleted=True, search="回池") == []
    assert _names(customers, organisation.admin, deleted=True) == ["回池客户", "在手客户"]
    assert _names(customers, organisation.rival, deleted=True) == []
    customers.grant("sales", without=(Permission.CUSTOMER_UPDATE,))
    refused = customers.request("GET", "/opportunities", sales, query_string={"deleted": "true"})
    assert (refused.status_code, refused.json["code"]) == (403, "forbidden")


@pytest.mark.parametrize("query", [{"stage": "没有的"}, {"list": "new"}, {"sort": "name"}, {"amount_from": "-1"}])
def test_a_wrong_condition_is_refused_by_its_name(customers: Any, query: Any) -> None:
    refused = customers.request("GET", "/opportunities", customers.organisation.sales, query_string=query)

    assert refused.status_code in (400, 422)
    assert [error["pointer"] for error in refused.json["errors"]] == [f"/{name}" for name in query]


def test_pages_by_number_from_the_end_and_by_cursor_hold_each_once(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)
    names = [_made(customers, sales, customer, f"机会{number}", amount=number)["name"] for number in range(5)][::-1]

    pages = [_page(customers, sales, page=number, page_size=2) for number in (1, 2, 3)]
    assert [item["name"] for page in pages for item in page["items"]] == names
    assert {page["total"] for page in pages} == {5}
    last = _page(customers, sales, page="last", page_size=2, sort="-amount")
    assert ([item["name"] for item in last["items"]], last["page"]) == (names[4:], 3)
    found, page = [], pages[0]
    while page["next_cursor"]:
        found += page["items"]
        page = _page(customers, sales, cursor=page["next_cursor"], page_size=2)
    assert [item["name"] for item in (*found, *page["items"])] == names
    refused = customers.request(
        "GET", "/opportunities", sales, query_string={"sort": "amount", "cursor": pages[0]["next_cursor"]}
    )
    assert refused.json["errors"][0]["pointer"] == "/cursor"


def test_lists_show_the_opportunities_of_the_customers_that_are_seen(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    _made(customers, organisation.sales, customer, "商机", amount="5")
    readers = (organisation.sales, organisation.supervisor, organisation.admin, organisation.rival)

    def seen() -> list[list[str]]:
        shown = [_names(customers, reader) for reader in readers]
        for reader, names in zip(readers, shown, strict=True):
            assert _names(customers, reader, search="商机") == names
            board = customers.request("GET", "/opportunities/board", reader).json
            assert board["columns"][0]["count"] == len(names)
            totals = customers.request("GET", "/opportunities/totals", reader).json
            assert totals["months"][-1]["new"]["count"] == totals["funnel"][0]["count"] == len(names)
        return shown

    assert seen() == [["商机"], ["商机"], ["商机"], []]
    with customers.database.transaction() as session:
        session.execute(update(Opportunity).values(owner_id=None))
    customers.move(customer, 2, Place(pool_id=str(customers.open_pool)))
    assert seen() == [["商机"]] * 4
    customers.move(customer, 3, Place(pool_id=str(customers.hidden_pool)))
    assert seen() == [[], ["商机"], ["商机"], []]
    customers.move(customer, 4, Place(owner_id=str(organisation.rival.id)))
    assert seen()[3] == ["商机"]
    locked = customers.request("POST", f"/customers/{customer['id']}:lock", organisation.rival)
    assert locked.status_code == 200
    assert seen() == [[], [], [], ["商机"]]


def test_a_deleted_customer_hides_its_opportunities(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)
    made = _made(customers, sales, customer, "商机")

    customers.request("DELETE", f"/customers/{customer['id']}", sales, headers={"If_Match": '"1"'})

    assert _names(customers, sales) == _names(customers, customers.organisation.admin) == []
    assert customers.request("GET", f"/opportunities/{made['id']}", sales).status_code == 404


def test_the_board_has_a_column_for_each_stage_with_its_sums_and_first_cards(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    made = [_made(customers, organisation.sales, customer, f"机会{n}", amount="1.10") for n in range(4)]
    _made(customers, organisation.sales, customer, "美元的", amount="5", currency="USD")
    _made(customers, organisation.sales, customer, "未估的")
    _lose(customers, organisation.sales, made[0])
    long_ago = _made(customers, organisation.sales, customer, "早已丢的")
    _set(customers, long_ago, stage="lost", closed_at="2020-01-01T00:00:00Z")

    def board(**query: Any) -> Any:
        return customers.request("GET", "/opportunities/board", organisation.sales, query_string=query).json

    first, won, lost = board(cards=2)["columns"]
    assert [column["stage"] for column in (first, won, lost)] == ["initial", "won", "lost"]
    assert (first["count"], won["count"], lost["count"]) == (5, 0, 1)
    assert first["amounts"] == [{"currency": "CNY", "amount": "3.30"}, {"currency": "USD", "amount": "5.00"}]
    assert [card["name"] for card in first["cards"]] == ["未估的", "美元的"]
    rest = _page(customers, organisation.sales, stage="initial", cursor=first["next_cursor"])
    assert [item["name"] for item in rest["items"]] == ["机会3", "机会2", "机会1"]
    assert board(closed_from="2019-01-01")["columns"][2]["count"] == 2
    assert [column["stage"] for column in board(stage="lost")["columns"]] == ["lost"]


def test_totals_count_months_of_the_organisation_and_add_up_to_what_is_open(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)
    rows = {
        # In Shanghai the first of February 2026, and the last of it.
        "新": {"created_at": "2026-01-31T16:00:00Z", "amount": Decimal(10), "expected_on": date(2026, 5, 9)},
        "成": {"created_at": "2026-02-28T15:59:59Z", "stage": "won", "closed_at": "2026-03-31T15:00:00Z", "amount": 7},
        "丢": {"created_at": "2025-12-01T00:00:00Z", "stage": "lost", "closed_at": "2026-03-31T16:00:00Z", "amount": 3},
        "外": {"created_at": "2026-02-10T00:00:00Z", "currency": "USD", "amount": Decimal("2.5")},
        "无": {"created_at": "2026-02-11T00:00:00Z"},
    }
    for name, values in rows.items():
        _set(customers, _made(customers, sales, customer, name), **values)

    def totals(**query: Any) -> Any:
        return customers.request("GET", "/opportunities/totals", sales, query_string=query).json

    found = totals(**{"from": "2026-02-20", "to": "2026-04-01"})
    february, march, april = found["months"]
    cny = lambda amount: [{"currency": "CNY", "amount": amount}]
    assert [month["month"] for month in found["months"]] == ["2026-02-01", "2026-03-01", "2026-04-01"]
    assert february["new"] == {"count": 4, "amounts": [*cny("17.00"), {"currency": "USD", "amount": "2.50"}]}
    assert (march["won"], march["lost"]["count"]) == ({"count": 1, "amounts": cny("7.00")}, 0)
    assert (april["lost"], april["new"]["count"]) == ({"count": 1, "amounts": cny("3.00")}, 0)
    usd = {"currency": "USD", "amount": "2.50"}
    assert found["funnel"] == [{"stage": "initial", "count": 3, "amounts": [*cny("10.00"), usd]}]
    assert [(one["month"], one["count"]) for one in found["forecast"]] == [("2026-05-01", 1), (None, 2)]
    assert totals(currency="USD", **{"from": "2026-02-01", "to": "2026-02-01"})["months"][0]["new"]["count"] == 1
    assert len(totals()["months"]) == 12


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ("from=2026-03-01&to=2026-02-01", "/to", "before_from"),
        ("from=2020-01-01&to=2026-02-01", "/from", "too_many_months"),
        ("from=0001-01-01", "/from", "day_out_of_range"),
    ],
)
def test_a_wrong_period_is_refused(customers: Any, query: str, pointer: str, code: str) -> None:
    reply = customers.request("GET", f"/opportunities/totals?{query}", customers.organisation.sales)

    assert [(error["pointer"], error["code"]) for error in reply.json["errors"]] == [(pointer, code)]


_DAYS = st.dates(date(2000, 1, 1), date(2199, 12, 31))


@given(_DAYS, st.integers(0, 60))
def test_months_are_counted_without_gaps(last: date, before: int) -> None:
    first = months_before(last, before)
    months = months_between(first, last)

    assert len(months) == before + 1
    assert (months[0], months[-1]) == (first, last.replace(day=1))
    assert months == sorted(set(months))
    assert {month.day for month in months} == {1}


def test_closed_stages_come_last_and_what_is_no_longer_offered_stays_while_something_lies_there() -> None:
    found = stages_in_order(["won", "initial", "lost", "proposal"], ["retired", "lost"], ["won", "lost"])

    assert found == ["initial", "proposal", "retired", "won", "lost"]
