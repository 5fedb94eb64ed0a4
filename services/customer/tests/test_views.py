"""Saved filters and columns: everybody's own."""

import json
from typing import Any

import pytest

from chassis.identifiers import new_id

EDUCATION = {"conditions": [{"field": "industry", "operator": "any_of", "values": ["教育/培训"]}]}
USUAL = ["name", "industry", "rating", "address", "owner_id", "created_by", "created_at", "expires_on", "operations"]


def _save(customers: Any, member: Any, name: str, content: Any, page: str = "customers") -> Any:
    return customers.request("POST", "/views", member, json={"page": page, "name": name, "filter": content})


def _change(customers: Any, member: Any, saved: Any, **changes: Any) -> Any:
    etag = f'"{saved["version"]}"'
    return customers.request("PATCH", f"/views/{saved['id']}", member, json=changes, headers={"If_Match": etag})


def _saved(customers: Any, member: Any, page: str = "customers") -> list[Any]:
    reply = customers.request("GET", f"/views?page={page}", member)
    assert reply.status_code == 200, reply.text
    return list(reply.json["items"])


def _columns(customers: Any, member: Any, page: str = "customers") -> Any:
    return customers.request("GET", f"/views/{page}/columns", member).json


def test_a_saved_filter_is_ones_own_and_shows_the_list_again(customers: Any) -> None:
    sales, colleague = customers.organisation.sales, customers.organisation.colleague
    customers.create(sales, "学校", industry="education")
    customers.create(sales, "工厂", industry="other")

    saved = _save(customers, sales, " 教育客户 ", {**EDUCATION, "view": "mine", "sort": "created_at", "search": ""})

    assert saved.status_code == 201, saved.text
    assert saved.json == _saved(customers, sales)[0]
    assert (saved.json["name"], saved.json["broken"], saved.json["reason"]) == ("教育客户", False, None)
    kept = dict(saved.json["filter"])
    conditions = kept.pop("conditions")
    assert kept == {"view": "mine", "sort": "created_at"}
    assert customers.listed(sales, conditions=json.dumps(conditions), **kept) == ["学校"]
    assert _saved(customers, colleague) == []
    assert _change(customers, colleague, saved.json, name="别人的").status_code == 404
    path = f"/views/{saved.json['id']}"
    assert customers.request("DELETE", path, colleague, headers={"If_Match": '"1"'}).status_code == 404
    assert customers.request("DELETE", path, sales, headers={"If_Match": '"1"'}).status_code == 204
    assert _saved(customers, sales) == []


def test_names_are_required_and_unique_for_a_member_and_page(customers: Any) -> None:
    sales, colleague = customers.organisation.sales, customers.organisation.colleague
    first = _save(customers, sales, "今日", {"view": "created_today"}).json
    other = _save(customers, sales, "本周", {"view": "created_this_week"}).json

    taken = _save(customers, sales, "今日", {})
    renamed = _change(customers, sales, other, name="今日")

    for refused in (taken, renamed):
        assert (refused.status_code, refused.json["code"]) == (409, "filter_name_taken")
    assert _save(customers, sales, "今日", {"view": "all"}, page="contacts").status_code == 201
    assert _save(customers, colleague, "今日", {}).status_code == 201
    assert _change(customers, sales, first, name="今日").status_code == 200
    for name in ("", "  ", "名" * 31):
        assert _save(customers, sales, name, {}).status_code == 422
    assert _save(customers, sales, "名" * 30, {}).status_code == 201


@pytest.mark.parametrize(
    ("page", "content", "pointer", "code"),
    [
        ("customers", {"sort": "name"}, "/filter/sort", "enum"),
        ("customers", {"page": 2}, "/filter/page", "extra_forbidden"),
        ("customers", {"industry": "航天"}, "/filter/industry", "unknown_option"),
        (
            "customers",
            {"conditions": [{"field": "colour", "operator": "empty"}]},
            "/filter/conditions/0/field",
            "unknown_filter_field",
        ),
        ("customers", {"conditions": "[]"}, "/filter/conditions", "list_type"),
        ("contacts", {"view": "theirs"}, "/filter/view", "enum"),
        ("contacts", {"industry": "education"}, "/filter/industry", "extra_forbidden"),
    ],
)
def test_a_filter_that_cannot_be_asked_is_not_saved(
    customers: Any, page: str, content: Any, pointer: str, code: str
) -> None:
    sales = customers.organisation.sales

    refused = _save(customers, sales, "筛选", content, page)

    assert refused.status_code == 422
    assert [(error["pointer"], error["code"]) for error in refused.json["errors"]] == [(pointer, code)]
    assert _saved(customers, sales, page) == []


def test_a_filter_whose_field_is_gone_is_shown_as_broken(customers: Any) -> None:
    admin, sales = customers.organisation.admin, customers.organisation.sales
    body = {"zh": "等级", "en": "Grade", "kind": "text", "filterable": True}
    field = customers.request("POST", "/fields", admin, json=body)
    assert field.status_code == 201, field.text
    condition = {"field": field.json["key"], "operator": "any_of", "values": ["甲"]}
    _save(customers, sales, "甲等", {"conditions": [condition]})
    _save(customers, sales, "教育", EDUCATION)

    path = f"/fields/{field.json['id']}"
    gone = customers.request("DELETE", path, admin, headers={"If_Match": f'"{field.json["version"]}"'})

    assert gone.status_code == 204, gone.text
    broken, whole = _saved(customers, sales)
    assert broken["broken"]
    assert "custom.grade" in broken["reason"]
    assert not whole["broken"]
    listed = customers.request("GET", "/customers", sales, query_string={"conditions": json.dumps([condition])})
    assert listed.status_code == 422


def test_filters_are_put_in_order(customers: Any) -> None:
    sales = customers.organisation.sales
    first, second, third = (_save(customers, sales, name, {}).json for name in "甲乙丙")

    moved = _change(customers, sales, third, position=0)

    assert (moved.status_code, moved.json["position"], moved.json["version"]) == (200, 0, 2)
    assert [(one["name"], one["position"]) for one in _saved(customers, sales)] == [("丙", 0), ("甲", 1), ("乙", 2)]
    assert _change(customers, sales, first, position=1000).status_code == 200
    assert [one["name"] for one in _saved(customers, sales)] == ["丙", "乙", "甲"]
    assert _change(customers, sales, second, position=-1).status_code == 422


def test_a_filter_changed_meanwhile_is_not_overwritten(customers: Any) -> None:
    sales = customers.organisation.sales
    saved = _save(customers, sales, "教育", EDUCATION).json
    changed = _change(customers, sales, saved, filter={"view": "mine"})

    stale = _change(customers, sales, saved, name="过时")

    assert (changed.json["version"], changed.json["filter"]) == (2, {"view": "mine"})
    assert (stale.status_code, stale.json["version"]) == (412, 2)
    assert customers.request("PATCH", f"/views/{saved['id']}", sales, json={}).status_code == 428


def test_fifty_filters_are_enough(customers: Any) -> None:
    sales = customers.organisation.sales
    for number in range(50):
        assert _save(customers, sales, f"筛选{number}", {}).status_code == 201

    refused = _save(customers, sales, "再来一个", {})

    assert (refused.status_code, refused.json["code"]) == (409, "too_many_filters")
    assert len(_saved(customers, sales)) == 50


def test_columns_are_chosen_and_given_back(customers: Any) -> None:
    sales, colleague = customers.organisation.sales, customers.organisation.colleague
    before = _columns(customers, sales)
    chosen = ["city", "operations", "contact.phone", "name"]

    reply = customers.request("PUT", "/views/customers/columns", sales, json={"columns": chosen})

    assert (before["columns"], before["chosen"]) == (USUAL, False)
    assert {"city", "contact.phone", "contact.mobile", "tags"} <= set(before["available"])
    assert reply.status_code == 200, reply.text
    assert (reply.json["columns"], reply.json["chosen"]) == (["city", "contact.phone", "name", "operations"], True)
    assert _columns(customers, sales) == reply.json
    assert _columns(customers, colleague)["columns"] == _columns(customers, sales, "pool")["columns"] == USUAL
    assert _columns(customers, sales, "contacts")["columns"][:4] == ["name", "salutation", "customer_id", "phone"]
    assert customers.request("DELETE", "/views/customers/columns", sales).status_code == 204
    assert _columns(customers, sales) == before


@pytest.mark.parametrize(
    ("page", "columns", "pointer", "code"),
    [
        ("customers", ["name", "colour"], "/columns/1", "unknown_column"),
        ("customers", ["name", "name"], "/columns/1", "column_repeated"),
        ("customers", ["operations"], "/columns", "too_short"),
        ("customers", [], "/columns", "too_short"),
        ("customers", ["custom.hidden"], "/columns/0", "unknown_column"),
        ("contacts", ["industry"], "/columns/0", "unknown_column"),
    ],
)
def test_columns_that_there_are_not_are_refused(
    customers: Any, page: str, columns: list[str], pointer: str, code: str
) -> None:
    sales = customers.organisation.sales

    refused = customers.request("PUT", f"/views/{page}/columns", sales, json={"columns": columns})

    assert refused.status_code == 422
    assert [(error["pointer"], error["code"]) for error in refused.json["errors"]] == [(pointer, code)]
    assert not _columns(customers, sales, page)["chosen"]


def test_a_page_that_there_is_not_has_no_columns(customers: Any) -> None:
    for method in ("GET", "PUT", "DELETE"):
        options = {"json": {"columns": ["name"]}} if method == "PUT" else {}
        reply = customers.request(method, "/views/orders/columns", customers.organisation.sales, **options)
        assert reply.status_code == 404
    assert customers.request("GET", f"/views/{new_id()}/columns", customers.organisation.sales).status_code == 404
