"""Receivables and payments: what may be asked and paid, what is left, and who is told."""

from datetime import timedelta
from typing import Any

import pytest

from chassis.clock import now
from chassis.days import day_of
from chassis.identifiers import new_id
from crm.common.v1.place_pb2 import Place


def _day(days: int) -> str:
    return str(day_of(now(), "Asia/Shanghai") + timedelta(days=days))


def _order(customers: Any, customer: Any, **fields: Any) -> Any:
    body = {"customer_id": customer["id"], "amount": "1000", "status": "confirmed"} | fields
    reply = customers.request("POST", "/orders", customers.organisation.sales, json=body)
    assert reply.status_code == 201, reply.text
    return reply.json


def _post(customers: Any, order: Any, kind: str, member: Any = None, headers: Any = None, **body: Any) -> Any:
    path, member = f"/orders/{order['id']}/{kind}", member or customers.organisation.sales
    return customers.request("POST", path, member, json=body, headers=headers or {})


def _due(customers: Any, order: Any, days: int, amount: str, **fields: Any) -> Any:
    reply = _post(customers, order, "receivables", due_on=_day(days), amount=amount, **fields)
    assert reply.status_code == 201, reply.text
    return reply.json


def _paid(customers: Any, order: Any, amount: str, **fields: Any) -> Any:
    reply = _post(customers, order, "payments", amount=amount, **fields)
    assert reply.status_code == 201, reply.text
    return reply.json


def _change(customers: Any, order: Any, due: Any, **changes: Any) -> Any:
    path, headers = f"/orders/{order['id']}/receivables/{due['id']}", {"If_Match": f'"{due["version"]}"'}
    return customers.request("PATCH", path, customers.organisation.sales, json=changes, headers=headers)


def _delete(customers: Any, order: Any, path: str, version: int = 1) -> int:
    headers = {"If_Match": f'"{version}"'}
    reply = customers.request("DELETE", f"/orders/{order['id']}/{path}", customers.organisation.sales, headers=headers)
    return int(reply.status_code)


def _left(customers: Any, order: Any) -> list[str]:
    reply = customers.request("GET", f"/orders/{order['id']}/receivables", customers.organisation.sales)
    return [one["outstanding"] for one in reply.json["items"]]


def _listed(customers: Any, member: Any, **query: Any) -> list[tuple[str, str]]:
    reply = customers.request("GET", "/orders/receivables", member, query_string=query)
    assert reply.status_code == 200, reply.text
    assert reply.json["total"] == len(reply.json["items"])
    return [(one["due_on"], one["outstanding"]) for one in reply.json["items"]]


def _step(customers: Any, order: Any, step: str, **body: Any) -> None:
    sent = {"json": body} if step == "cancel" else {}
    reply = customers.request("POST", f"/orders/{order['id']}:{step}", customers.organisation.sales, **sent)
    assert reply.status_code == 200, reply.text


def test_payments_cover_what_is_due_first_and_what_was_wrong_is_taken_back(customers: Any) -> None:
    order = _order(customers, customers.create(customers.organisation.sales))
    later, first = _due(customers, order, 30, "600", note="尾款"), _due(customers, order, 5, "400")

    part = _paid(customers, order, "450.5", paid_on=_day(-1), note="电汇")

    assert part.items() >= {"amount": "450.50", "paid_on": _day(-1), "note": "电汇"}.items()
    assert part["created_by"]["name"] == "张三"
    assert _left(customers, order) == ["0.00", "549.50"]
    path = f"/orders/{order['id']}"
    found = customers.request("GET", f"{path}/receivables", customers.organisation.sales).json
    assert {name: found[name] for name in ("order_amount", "paid", "currency")} == {
        "order_amount": "1000.00",
        "paid": "450.50",
        "currency": "CNY",
    }
    assert _change(customers, order, later, due_on=_day(1)).json["outstanding"] == "149.50"
    assert _left(customers, order) == ["149.50", "400.00"]
    assert _delete(customers, order, f"receivables/{first['id']}") == 204
    assert _delete(customers, order, f"receivables/{first['id']}", 2) == 404
    listed = customers.request("GET", f"{path}/payments", customers.organisation.sales).json
    assert (listed["items"], listed["total"]) == ([part], 1)
    assert _delete(customers, order, f"payments/{part['id']}") == 204
    assert _delete(customers, order, f"payments/{part['id']}") == 404
    assert _left(customers, order) == ["600.00"]
    audit = customers.request("GET", "/customer/audit?action=payment.", customers.organisation.admin).json["items"]
    assert [(one["action"], (one["before"] or one["after"])["amount"]) for one in audit] == [
        ("payment.deleted", "450.50"),
        ("payment.created", "450.50"),
    ]


def test_nothing_beyond_the_order_is_asked_and_nothing_beyond_what_is_open_is_paid_unawares(customers: Any) -> None:
    order = _order(customers, customers.create(customers.organisation.sales))
    due = _due(customers, order, 0, "999.99")

    more = _post(customers, order, "receivables", due_on=_day(1), amount="0.02")
    assert (more.status_code, more.json["code"]) == (409, "receivables_exceed_amount")
    assert _change(customers, order, due, amount="1000.01").json["code"] == "receivables_exceed_amount"
    headers, body = {"If_Match": '"1"'}, {"amount": "999"}
    less = customers.request(
        "PATCH", f"/orders/{order['id']}", customers.organisation.sales, json=body, headers=headers
    )
    assert less.json["code"] == "receivables_exceed_amount"
    assert _change(customers, order, due, amount="1000").json["amount"] == "1000.00"

    _paid(customers, order, "900")
    refused = _post(customers, order, "payments", amount="100.01")
    assert (refused.status_code, refused.json["code"], refused.json["open"]) == (409, "payment_exceeds_open", "100.00")
    _paid(customers, order, "100.01", overpaid=True)
    assert customers.request("GET", f"/orders/{order['id']}", customers.organisation.sales).json["paid"] == "1000.01"
    assert _post(customers, order, "payments", amount="0.01").json["open"] == "0.00"


@pytest.mark.parametrize(
    ("kind", "fields", "pointer", "code"),
    [
        ("receivables", {"amount": "0"}, "/amount", "amount_not_positive"),
        ("receivables", {"amount": "-5"}, "/amount", "amount_not_positive"),
        ("receivables", {"due_on": "morgen"}, "/due_on", "date_parsing"),
        ("receivables", {"note": "字" * 501}, "/note", "string_too_long"),
        ("payments", {"amount": "0.001"}, "/amount", "amount_not_positive"),
        ("payments", {"paid_on": _day(1)}, "/paid_on", "paid_in_future"),
        ("payments", {"due_on": _day(1)}, "/due_on", "extra_forbidden"),
    ],
)
def test_a_wrong_entry_is_refused(customers: Any, kind: str, fields: Any, pointer: str, code: str) -> None:
    order = _order(customers, customers.create(customers.organisation.sales))
    body = {"amount": "1"} | ({"due_on": _day(0)} if kind == "receivables" else {}) | fields

    reply = _post(customers, order, kind, **body)

    assert reply.status_code == 422
    assert [(error["pointer"], error["code"]) for error in reply.json["errors"]] == [(pointer, code)]


def test_only_what_is_agreed_is_due(customers: Any) -> None:
    sales = customers.organisation.sales
    order = _order(customers, customers.create(sales), status="draft")
    _due(customers, order, 1, "1000")
    assert _post(customers, order, "payments", amount="1").json["code"] == "order_not_confirmed"
    assert (_left(customers, order), _listed(customers, sales)) == (["0.00"], [])

    _step(customers, order, "confirm")
    payment = _paid(customers, order, "300")
    assert _listed(customers, sales) == [(_day(1), "700.00")]
    _step(customers, order, "complete")
    assert _listed(customers, sales) == [(_day(1), "700.00")]
    _step(customers, order, "cancel", note="退货")
    assert _listed(customers, sales) == []
    refused = _post(customers, order, "receivables", due_on=_day(1), amount="1")
    assert (refused.status_code, refused.json["code"]) == (409, "order_cancelled")
    assert _delete(customers, order, f"payments/{payment['id']}") == 204

    _step(customers, order, "reopen")
    _step(customers, order, "confirm")
    assert _listed(customers, sales) == [(_day(1), "1000.00")]
    version = customers.request("GET", f"/orders/{order['id']}", sales).json["version"]
    customers.request("DELETE", f"/orders/{order['id']}", sales, headers={"If_Match": f'"{version}"'})
    assert _listed(customers, sales) == []
    _step(customers, order, "restore")
    assert _listed(customers, sales) == [(_day(1), "1000.00")]


def test_a_change_on_an_older_version_tells_both_values(customers: Any) -> None:
    order = _order(customers, customers.create(customers.organisation.sales))
    due = _due(customers, order, 1, "100")
    _change(customers, order, due, amount="200")

    stale = _change(customers, order, due, amount="300", note="尾款")

    assert (stale.status_code, stale.json["version"]) == (412, 2)
    assert stale.json["conflicts"] == [{"field": "amount", "current": "200.00", "yours": "300.00"}]
    assert _delete(customers, order, f"receivables/{due['id']}") == 412
    path = f"/orders/{order['id']}/receivables/{due['id']}"
    assert customers.request("PATCH", path, customers.organisation.sales, json={}).status_code == 428
    other = _order(customers, customers.create(customers.organisation.sales, "别的客户"))
    assert _change(customers, other, due, amount="1").status_code == 404


def test_what_is_outstanding_is_listed_to_whoever_sees_the_customer(customers: Any) -> None:
    """K-06."""
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    order = _order(customers, customer)
    _due(customers, order, 9, "500"), _due(customers, order, -3, "300"), _due(customers, order, 0, "200")
    _paid(customers, order, "100")
    all_three = [(_day(-3), "200.00"), (_day(0), "200.00"), (_day(9), "500.00")]

    for member in (organisation.sales, organisation.supervisor, organisation.admin):
        assert _listed(customers, member) == all_three
    assert _listed(customers, organisation.rival) == []
    for query, found in (
        ({"overdue": True}, all_three[:1]),
        ({"overdue": False}, all_three[1:]),
        ({"due_from": _day(0)}, all_three[1:]),
        ({"due_from": _day(-3), "due_to": _day(0)}, all_three[:2]),
        ({"owner_id": str(organisation.sales.id)}, all_three),
        ({"owner_id": str(organisation.rival.id)}, []),
    ):
        assert _listed(customers, organisation.sales, **query) == found
        assert _listed(customers, organisation.admin, **query) == found
    page = customers.request("GET", "/orders/receivables?page_size=1", organisation.sales).json
    assert page["total"] == 3
    assert page["items"] == [
        {
            "id": page["items"][0]["id"],
            "customer": {"id": customer["id"], "name": customer["name"]},
            "owner": {"id": str(organisation.sales.id), "name": "张三"},
            "order": {"id": order["id"], "number": order["number"]},
            "due_on": _day(-3),
            "overdue_days": 3,
            "amount": "300.00",
            "outstanding": "200.00",
            "currency": "CNY",
        }
    ]
    customers.move(customer, 2, Place(pool_id=str(customers.open_pool)))
    assert _listed(customers, organisation.sales) == _listed(customers, organisation.supervisor) == []
    assert _listed(customers, organisation.admin) == all_three


def test_who_may_not_change_the_customer_records_nothing(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    order, rival = _order(customers, customer), organisation.rival
    due = {"due_on": _day(1), "amount": "1"}
    hidden = [
        _post(customers, order, "receivables", rival, **due),
        _post(customers, order, "payments", rival, amount="1"),
    ]
    hidden += [customers.request("GET", f"/orders/{order['id']}/{kind}", rival) for kind in ("receivables", "payments")]
    assert [one.status_code for one in hidden] == [404] * 4

    body = {"collaborators": [{"member_id": str(rival.id), "access": "read"}]}
    customers.request("POST", f"/customers/{customer['id']}/collaborators", organisation.sales, json=body)
    refused = [
        _post(customers, order, "receivables", rival, **due),
        _post(customers, order, "payments", rival, amount="1"),
    ]
    assert [one.json["code"] for one in refused] == ["read_only_collaborator"] * 2
    assert customers.request("GET", f"/orders/{order['id']}/payments", rival).status_code == 200
    assert _post(customers, {"id": str(new_id())}, "payments", amount="1").status_code == 404


def test_the_same_request_again_is_recorded_once(customers: Any) -> None:
    order, headers = _order(customers, customers.create(customers.organisation.sales)), {"Idempotency_Key": "a"}

    due = [_post(customers, order, "receivables", headers=headers, due_on=_day(1), amount="9").json for _ in range(2)]
    paid = [_post(customers, order, "payments", headers=headers, amount="4").json for _ in range(2)]

    assert (due[0], paid[0]) == (due[1], paid[1])
    assert _left(customers, order) == ["5.00"]
