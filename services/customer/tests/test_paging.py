"""Pages of the list by number, the last one, and by cursor (A-22 to A-28)."""

import base64
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from crm_customer.counting import Total
from crm_customer.paging import LAST, PagedQuery, Window, window_of

FILL = text("""
    INSERT INTO customers (id, version, facts_version, name, owner_id, owner_department_id, assignment_version, created_by,
        created_at, updated_at, deleted_at)
    SELECT gen_random_uuid(), 1, 1, '客户' || lpad(CAST(n AS text), 5, '0'), :owner, :department, 1, :owner,
        CAST(:start AS timestamptz) + n / 3 * INTERVAL '1 minute', CAST(:start AS timestamptz) - n * INTERVAL '1 minute',
        CASE WHEN :deleted THEN CAST(:start AS timestamptz) + n * INTERVAL '1 second' END
    FROM generate_series(1, :count) AS n
""")
SEARCH = text("""
    INSERT INTO customer_search (customer_id, name, address, grams) SELECT id, name, '', ARRAY['客户'] FROM customers
""")


def _fill(customers: Any, count: int, *, deleted: bool = False) -> None:
    """Customers of `sales`, three at a time created in the same moment."""
    sales = customers.organisation.sales
    given = {"owner": sales.id, "department": sales.department_id, "count": count, "deleted": deleted}
    with customers.database.transaction() as session:
        session.execute(FILL, given | {"start": datetime(2026, 1, 1, tzinfo=UTC)})
        session.execute(SEARCH)


def _page(customers: Any, **query: Any) -> Any:
    reply = customers.request("GET", "/customers", customers.organisation.sales, query_string=query)
    assert reply.status_code == 200, reply.text
    return reply.json


def _names(page: Any) -> list[str]:
    return [item["name"] for item in page["items"]]


@pytest.mark.parametrize(
    "query", [{}, {"sort": "created_at"}, {"sort": "updated_at"}, {"view": "deleted"}, {"search": "客户"}]
)
def test_going_on_with_the_cursor_shows_every_customer_once(customers: Any, query: dict[str, str]) -> None:
    _fill(customers, 47, deleted=query.get("view") == "deleted")
    whole = _names(_page(customers, page_size=200, **query))

    page = _page(customers, **query)
    found, numbers = _names(page), [page["page"]]
    while page["next_cursor"]:
        page = _page(customers, cursor=page["next_cursor"], **query)
        found += _names(page)
        numbers.append(page["page"])

    assert len(whole) == 47
    assert (found, numbers, page["total"]) == (whole, [1, 2, 3, 4], 47)


def test_what_is_created_meanwhile_does_not_shift_the_pages_of_a_cursor(customers: Any) -> None:
    _fill(customers, 20)
    whole = _names(_page(customers, page_size=200))
    first = _page(customers)

    customers.create(customers.organisation.sales, "新来的")
    second = _page(customers, cursor=first["next_cursor"])

    assert _names(first) + _names(second) == whole
    assert (second["next_cursor"], second["total"]) == (None, 21)


@pytest.mark.parametrize("query", [{}, {"sort": "updated_at"}, {"view": "deleted"}, {"search": "客户"}])
def test_the_last_page_has_its_number_and_its_rows(customers: Any, query: dict[str, str]) -> None:
    _fill(customers, 32, deleted=query.get("view") == "deleted")
    whole = _names(_page(customers, page_size=200, **query))

    last = _page(customers, page="last", **query)

    assert (last["page"], last["total"], last["next_cursor"]) == (3, 32, None)
    assert _names(last) == whole[30:] == _names(_page(customers, page=3, **query))
    even = _page(customers, page="last", page_size=16, **query)
    assert (even["page"], _names(even)) == (2, whole[16:])


def test_the_last_page_of_nothing_is_the_first(customers: Any) -> None:
    last = _page(customers, page="last")

    assert (last["page"], last["items"], last["total"]) == (1, [], 0)


def test_locked_customers_have_a_last_page_too(customers: Any) -> None:
    sales = customers.organisation.sales
    for name in "甲乙丙":
        customer = customers.create(sales, name)
        assert customers.request("POST", f"/customers/{customer['id']}:lock", sales).status_code == 200

    last = _page(customers, view="locked", page="last", page_size=2)

    assert (last["page"], len(last["items"]), last["total"]) == (2, 1, 3)


def test_a_page_beyond_the_end_is_empty(customers: Any) -> None:
    _fill(customers, 16)

    for number in (3, 100, 1_000_000):
        beyond = _page(customers, page=number)
        assert (beyond["page"], beyond["items"], beyond["total"], beyond["next_cursor"]) == (number, [], 16, None)


def test_pages_beyond_row_10000_are_the_same_from_either_end(customers: Any) -> None:
    _fill(customers, 12_300)
    whole = [f"客户{number:05}" for number in range(1, 12_301)]

    # The order of changes runs against that of numbers.
    for number in (51, 60, 61, 62):
        page = _page(customers, page=number, page_size=200, sort="-updated_at")
        assert _names(page) == whole[(number - 1) * 200 : number * 200]
        assert (page["next_cursor"] is None) == (number >= 62)
    last = _page(customers, page="last", page_size=200, sort="-updated_at")
    assert (last["page"], _names(last)) == (62, whole[12_200:])


@pytest.mark.parametrize("written", ["x", "====", "bm90IGpzb24", "W10", "e30", "MQ", "a" * 201, "%00"])
def test_a_broken_cursor_is_refused(customers: Any, written: str) -> None:
    reply = customers.request("GET", f"/customers?cursor={written}", customers.organisation.sales)

    assert reply.status_code == 422
    assert [error["pointer"] for error in reply.json["errors"]] == ["/cursor"]


@pytest.mark.parametrize(
    "content",
    [
        ["created_at", "2026-01-01T00:00:00+00:00", str(UUID(int=1)), 2],
        ["-created_at", "2026-01-01T00:00:00", str(UUID(int=1)), 2],
        ["-created_at", "2026-01-01T00:00:00+00:00", "1", 2],
        ["-created_at", "2026-01-01T00:00:00+00:00", str(UUID(int=1)), 0],
        ["-created_at", "2026-01-01T00:00:00+00:00", str(UUID(int=1)), True],
        ["-created_at", "2026-01-01T00:00:00+00:00", 7, 2],
        ["-created_at", 7, str(UUID(int=1)), 2],
        {"-created_at": 1, "a": 2, "b": 3, "c": 4},
    ],
)
def test_a_cursor_of_another_list_is_refused(customers: Any, content: Any) -> None:
    written = base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    reply = customers.request("GET", "/customers", customers.organisation.sales, query_string={"cursor": written})

    assert reply.status_code == 422
    assert [error["code"] for error in reply.json["errors"]] == ["unknown_cursor"]


@pytest.mark.parametrize("page", ["0", "-1", "first", "1.5", "", "1000001"])
def test_a_page_that_is_no_number_is_refused(customers: Any, page: str) -> None:
    reply = customers.request("GET", f"/customers?page={page}", customers.organisation.sales)

    assert reply.status_code == 422
    assert [error["pointer"] for error in reply.json["errors"]] == ["/page"]


def test_the_end_is_counted_from_when_it_is_nearer() -> None:
    def window(page: int, total: Total) -> Window:
        return window_of(PagedQuery.model_validate({"page": page or "last", "page_size": 200}), total)

    assert window(LAST, Total(30_001)) == Window(151, 0, 1, backwards=True)
    assert window(LAST, Total(30_000)) == Window(150, 0, 200, backwards=True)
    assert window(149, Total(30_001)) == Window(149, 201, 200, backwards=True)
    assert window(60, Total(30_001)) == Window(60, 11_800, 200)
    assert window(200, Total(30_001)) == Window(200, 0, 0, backwards=True)
    # Of an estimate only the end is certain.
    assert window(LAST, Total(30_001, estimated=True)) == Window(151, 0, 200, backwards=True)
    assert window(149, Total(30_001, estimated=True)) == Window(149, 29_600, 200)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        *[("/orders", name) for name in ("deal", "amount")],
        ("/orders/receivables", "due"),
        ("/tasks", "due"),
        *[("/opportunities", name) for name in ("expected", "created", "closed", "amount")],
    ],
)
def test_a_range_whose_end_lies_before_its_beginning_is_refused_by_name(untouched: Any, path: str, name: str) -> None:
    first, last = ("20", "3") if name == "amount" else ("2026-11-02", "2026-11-01")

    def ask(first: str, last: str) -> Any:
        asked = {f"{name}_from": first, f"{name}_to": last}
        return untouched.request("GET", path, untouched.organisation.sales, query_string=asked)

    refused = ask(first, last)
    assert refused.status_code == 422
    assert [(error["pointer"], error["code"]) for error in refused.json["errors"]] == [
        (f"/{name}_to", "range_reversed")
    ]
    assert ask(first, first).status_code == 200
