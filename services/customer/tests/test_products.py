"""Products: who sets them up, and what may be said of them."""

from typing import Any

import pytest

PRICE = {"price": "1200.50"}


def _made(customers: Any, name: str = "传感器", **fields: Any) -> Any:
    reply = customers.request("POST", "/products", customers.organisation.admin, json={"name": name} | PRICE | fields)
    assert reply.status_code == 201, reply.text
    return reply.json


def _change(customers: Any, product: Any, version: int | None = None, **changes: Any) -> Any:
    headers = {"If_Match": f'"{version or product["version"]}"'}
    path = f"/products/{product['id']}"
    return customers.request("PATCH", path, customers.organisation.admin, json=changes, headers=headers)


def _delete(customers: Any, product: Any, version: int = 1) -> Any:
    headers = {"If_Match": f'"{version}"'}
    return customers.request("DELETE", f"/products/{product['id']}", customers.organisation.admin, headers=headers)


def _listed(customers: Any, **query: Any) -> list[str]:
    reply = customers.request("GET", "/products", customers.organisation.sales, query_string=query).json
    assert reply["total"] == len(reply["items"])
    return [one["name"] for one in reply["items"]]


def test_administrators_set_products_up_and_everybody_finds_them(customers: Any) -> None:
    organisation = customers.organisation
    made = _made(customers, code="S-1_0", unit="台", currency="usd")
    _made(customers, "网关", active=False)
    refused = customers.request("POST", "/products", organisation.supervisor, json={"name": "我的"} | PRICE)

    assert (refused.status_code, refused.json["permission"]) == (403, "customer.configure")
    said = {"price": "1200.50", "currency": "USD", "unit": "台", "active": True, "version": 1}
    assert made.items() >= said.items()
    assert customers.request("GET", f"/products/{made['id']}", organisation.rival).json == made
    assert _listed(customers) == ["传感器", "网关"]
    assert _listed(customers, search="s-1_") == ["传感器"]
    assert _listed(customers, search="%") == []
    assert _listed(customers, active=False) == ["网关"]


def test_a_code_is_of_one_product_until_that_is_deleted(customers: Any) -> None:
    first, second = _made(customers, code="A"), _made(customers, "别的", code="")

    assert second["code"] is None
    taken = _change(customers, second, code="A")
    assert (taken.status_code, taken.json["code"]) == (409, "product_code_taken")
    assert _delete(customers, first).status_code == 204
    assert _change(customers, second, code="A").json["code"] == "A"
    path = f"/products/{first['id']}"
    assert customers.request("GET", path, customers.organisation.sales).status_code == 404
    assert _delete(customers, first, 2).status_code == 404


def test_a_change_on_an_older_version_tells_both_values(customers: Any) -> None:
    product = _made(customers)
    changed = _change(customers, product, price=99, name="新")

    assert changed.json.items() >= {"price": "99.00", "name": "新", "version": 2}.items()
    stale = _change(customers, product, 1, price="100", name="新")
    assert (stale.status_code, stale.json["version"]) == (412, 2)
    assert stale.json["conflicts"] == [{"field": "price", "current": "99.00", "yours": "100.00"}]
    assert _change(customers, changed.json, name="新").json["version"] == 2
    unguarded = customers.request("PATCH", f"/products/{product['id']}", customers.organisation.admin, json={})
    assert unguarded.status_code == 428
    audit = customers.request("GET", "/customer/audit?action=product.", customers.organisation.admin).json["items"]
    assert audit[0]["after"] == {"version": 2, "price": "99.00", "name": "新"}


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"price": "-1"}, "/price", "amount_invalid"),
        ({"price": "1.005"}, "/price", "amount_invalid"),
        ({"price": "NaN"}, "/price", "amount_invalid"),
        ({"price": 1e300}, "/price", "amount_invalid"),
        ({"price": True}, "/price", "amount_invalid"),
        ({"price": None}, "/price", "amount_invalid"),
        ({"price": "1234567890123"}, "/price", "amount_invalid"),
        ({"currency": "RMB"}, "/currency", "unknown_currency"),
        ({"currency": 1}, "/currency", "string_type"),
        ({"name": " "}, "/name", "string_too_short"),
        ({"name": "字" * 101}, "/name", "string_too_long"),
    ],
)
def test_a_wrong_product_is_refused(customers: Any, fields: Any, pointer: str, code: str) -> None:
    body = {"name": "传感器"} | PRICE | fields
    reply = customers.request("POST", "/products", customers.organisation.admin, json=body)

    assert reply.status_code == 422
    assert [(one["pointer"], one["code"]) for one in reply.json["errors"]] == [(pointer, code)]


def test_the_same_request_again_makes_one_product(customers: Any) -> None:
    headers, body = {"Idempotency_Key": "a"}, {"name": "传感器"} | PRICE
    made = [
        customers.request("POST", "/products", customers.organisation.admin, json=body, headers=headers).json
        for _ in range(2)
    ]

    assert made[0] == made[1]
    assert _listed(customers) == ["传感器"]
