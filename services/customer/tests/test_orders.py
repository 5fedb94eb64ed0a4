"""Orders: what they come to, who may write them, and what completing them does to opportunities and customers."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from chassis.clock import now
from chassis.days import day_of
from chassis.identifiers import new_id
from crm.common.v1.place_pb2 import Place
from crm.customer.v1 import customer_events_pb2 as events
from crm_customer.opportunities.model import Opportunity, OpportunitySettings

LINE = {"name": "传感器", "quantity": "3", "price": "100"}


def _post(customers: Any, member: Any, customer: Any, **fields: Any) -> Any:
    body = {"customer_id": customer["id"], "lines": [LINE]} | fields
    return customers.request("POST", "/orders", member, json=body)


def _made(customers: Any, customer: Any, **fields: Any) -> Any:
    reply = _post(customers, customers.organisation.sales, customer, **fields)
    assert reply.status_code == 201, reply.text
    return reply.json


def _act(customers: Any, order: Any, step: str, member: Any = None, **body: Any) -> Any:
    sent = {"json": body} if step in ("cancel", "link") else {}
    return customers.request("POST", f"/orders/{order['id']}:{step}", member or customers.organisation.sales, **sent)


def _done(customers: Any, order: Any, *steps: str, **body: Any) -> Any:
    for step in steps:
        reply = _act(customers, order, step, **body)
        assert reply.status_code == 200, reply.text
    return reply.json


def _patch(customers: Any, order: Any, member: Any = None, **changes: Any) -> Any:
    headers = {"If_Match": f'"{order["version"]}"'}
    path = f"/orders/{order['id']}"
    return customers.request("PATCH", path, member or customers.organisation.sales, json=changes, headers=headers)


def _delete(customers: Any, order: Any) -> Any:
    headers = {"If_Match": f'"{order["version"]}"'}
    return customers.request("DELETE", f"/orders/{order['id']}", customers.organisation.sales, headers=headers)


def _read(customers: Any, order: Any, member: Any = None) -> Any:
    return customers.request("GET", f"/orders/{order['id']}", member or customers.organisation.sales).json


def _listed(customers: Any, member: Any, **query: Any) -> list[int]:
    reply = customers.request("GET", "/orders", member, query_string={"page_size": 200, **query})
    assert reply.status_code == 200, reply.text
    assert reply.json["total"] == len(reply.json["items"])
    return [one["number"] for one in reply.json["items"]]


def _opportunity(customers: Any, customer: Any, *, lost: bool = False, **fields: Any) -> UUID:
    body = {"customer_id": customer["id"], "name": "年度采购", "amount": "900"} | fields
    made = customers.request("POST", "/opportunities", customers.organisation.sales, json=body)
    assert made.status_code == 201, made.text
    if lost:
        path = f"/opportunities/{made.json['id']}:lose"
        assert (
            customers.request("POST", path, customers.organisation.sales, json={"reason": "price"}).status_code == 200
        )
    return UUID(made.json["id"])


def _won(customers: Any, opportunity_id: UUID) -> tuple[str, str]:
    with customers.database.reading() as session:
        found = session.get_one(Opportunity, opportunity_id)
        return found.stage, str(found.amount)


def _problems(reply: Any) -> Any:
    return reply.status_code, [(error["pointer"], error["code"]) for error in reply.json["errors"]]


def _day(days: int) -> str:
    return str(day_of(now(), "Asia/Shanghai") + timedelta(days=days))


def test_an_order_is_kept_with_its_lines_computed_both_ways(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)
    body = {"name": "网关", "price": "50", "unit": "台"}
    product = customers.request("POST", "/products", customers.organisation.admin, json=body).json["id"]
    lines = [
        {"product_id": product, "quantity": "2"},
        {"product_id": product, "quantity": "3", "price": "33.335", "name": "网关（旧款）"},
        {"name": "安装", "quantity": 8, "amount": "1000.01"},
    ]

    made = _made(customers, customer, lines=lines, remark=" 首单 ", deal_on=_day(-1))

    shown = [(one["name"], one["unit"], one["quantity"], one["price"], one["amount"]) for one in made["lines"]]
    assert shown == [
        ("网关", "台", "2.000", "50.0000", "100.00"),
        ("网关（旧款）", "台", "3.000", "33.3350", "100.01"),
        ("安装", None, "8.000", "125.0013", "1000.01"),
    ]
    said = {"amount": "1200.02", "amount_agreed": False, "status": "draft", "currency": "CNY", "remark": "首单"}
    assert made.items() >= (said | {"deal_on": _day(-1), "paid": "0.00", "opportunity": None}).items()
    assert made["member"] == made["created_by"] == made["owner"] == {"id": str(sales.id), "name": "张三"}
    assert made["customer"] == {"id": customer["id"], "name": customer["name"]}
    assert _read(customers, made) == made
    again = _patch(customers, made, lines=made["lines"], amount=made["amount"])
    assert (again.status_code, again.json["version"]) == (200, 1)


def test_an_amount_agreed_otherwise_stays_until_it_is_the_sum_again(customers: Any) -> None:
    order = _made(customers, customers.create(customers.organisation.sales), amount="280")
    assert (order["amount"], order["amount_agreed"], order["deal_on"]) == ("280.00", True, _day(0))

    changed = _patch(customers, order, lines=[LINE, LINE]).json
    assert (changed["amount"], changed["amount_agreed"]) == ("280.00", True)
    summed = _patch(customers, changed, amount=None).json
    assert (summed["amount"], summed["amount_agreed"], summed["version"]) == ("600.00", False, 3)
    audit = customers.request("GET", "/customer/audit?action=order.", customers.organisation.admin).json["items"]
    assert [one["action"] for one in audit] == ["order.changed", "order.changed", "order.created"]
    assert audit[0]["before"] == {"version": 2, "amount": "280.00", "amount_agreed": True}


@pytest.mark.parametrize(
    ("fields", "problems"),
    [
        ({"lines": []}, [("/amount", "order_worth_missing")]),
        ({"lines": [{"name": "甲", "quantity": "1"}]}, [("/lines/0/price", "line_price_missing")]),
        ({"lines": [LINE, LINE | {"amount": "299"}]}, [("/lines/1/amount", "line_amounts_disagree")]),
        ({"lines": [{"quantity": "1", "price": "1"}]}, [("/lines/0/name", "missing")]),
        ({"lines": [LINE | {"quantity": "0"}]}, [("/lines/0/quantity", "quantity_invalid")]),
        ({"lines": [LINE | {"quantity": "1.0001"}]}, [("/lines/0/quantity", "quantity_invalid")]),
        ({"lines": [LINE | {"price": "-1"}]}, [("/lines/0/price", "price_invalid")]),
        ({"lines": [LINE] * 201}, [("/lines", "too_long")]),
        (
            {"lines": [{"name": "楼", "quantity": "1", "amount": "999999999999.99"}, LINE]},
            [("/lines/0/amount", "amount_too_large")],
        ),
        (
            {"lines": [{"name": "楼", "quantity": "1000", "amount": "999999999999.99"}] * 2},
            [("/lines", "amount_too_large")],
        ),
        ({"lines": [LINE | {"product_id": str(new_id())}]}, [("/lines/0/product_id", "unknown_product")]),
        (
            {"deal_on": _day(1), "member_id": str(new_id()), "opportunity_id": str(new_id())},
            [
                ("/deal_on", "deal_in_future"),
                ("/member_id", "member_inactive"),
                ("/opportunity_id", "unknown_opportunity"),
            ],
        ),
        ({"currency": "BTC"}, [("/currency", "unknown_currency")]),
        ({"amount": "1e9"}, [("/amount", "amount_invalid")]),
        ({"status": "completed"}, [("/status", "literal_error")]),
        ({"deal_on": "0001-01-01"}, [("/deal_on", "day_out_of_range")]),
    ],
)
def test_everything_wrong_is_named(customers: Any, fields: Any, problems: Any) -> None:
    sales = customers.organisation.sales

    assert _problems(_post(customers, sales, customers.create(sales), **fields)) == (422, problems)


def test_lines_keep_a_product_that_is_gone_and_a_stopped_one_is_not_sold_anew(customers: Any) -> None:
    admin, customer = customers.organisation.admin, customers.create(customers.organisation.sales)
    product = customers.request("POST", "/products", admin, json={"name": "网关", "price": "50"}).json
    foreign = _post(
        customers,
        customers.organisation.sales,
        customer,
        currency="USD",
        lines=[{"product_id": product["id"], "quantity": 1}],
    )
    assert _problems(foreign) == (422, [("/lines/0/price", "line_price_missing")])
    order = _made(customers, customer, lines=[{"product_id": product["id"], "quantity": "1"}])
    path, headers = f"/products/{product['id']}", {"If_Match": '"1"'}
    stopped = customers.request("PATCH", path, admin, json={"active": False, "price": "70"}, headers=headers).json
    refused = _post(customers, customers.organisation.sales, customer, lines=order["lines"])
    assert _problems(refused) == (422, [("/lines/0/product_id", "product_inactive")])
    customers.request("DELETE", path, admin, headers={"If_Match": f'"{stopped["version"]}"'})

    kept = _patch(customers, order, lines=[{"product_id": product["id"], "quantity": "2", "price": "50"}])

    assert [(one["name"], one["amount"]) for one in kept.json["lines"]] == [("网关", "100.00")]


def test_completing_wins_the_opportunity_and_the_customer_and_cancelling_takes_it_back(customers: Any) -> None:
    customer = customers.create(customers.organisation.sales)
    wanted = _opportunity(customers, customer)
    first, second = (_made(customers, customer, opportunity_id=str(wanted), status="confirmed") for _ in range(2))

    done = _done(customers, first, "complete")
    assert (done["status"], done["suggest_opportunity"], done["open_opportunities"]) == ("completed", False, [])
    assert _won(customers, wanted) == ("won", "300.00")
    told = customers.outbox(events.CustomerUpdated)[-1].customers[0]
    assert told.won
    assert told.last_deal_at.ToJsonString()[:19] == done["completed_at"][:19]
    _done(customers, second, "complete")
    assert _won(customers, wanted) == ("won", "600.00")

    assert _problems(_act(customers, first, "cancel")) == (422, [("/note", "cancel_note_missing")])
    cancelled = _done(customers, first, "cancel", note="退货")
    assert (cancelled["status"], cancelled["cancel_note"], cancelled["completed_at"]) == ("cancelled", "退货", None)
    assert _won(customers, wanted) == ("won", "300.00")
    _done(customers, second, "cancel", note="退货")
    assert _won(customers, wanted) == ("initial", "900.00")
    told = customers.outbox(events.CustomerUpdated)[-1].customers[0]
    assert (told.won, told.HasField("last_deal_at")) == (False, False)
    assert customers.request("GET", f"/customers/{customer['id']}", customers.organisation.sales).json["version"] == 1


def test_an_order_completed_without_opportunity_suggests_one_and_is_linked_later(customers: Any) -> None:
    """L-11."""
    customer = customers.create(customers.organisation.sales)
    wanted, other = _opportunity(customers, customer), _opportunity(customers, customer, name="扩容")
    foreign = _opportunity(customers, customers.create(customers.organisation.sales, "别的客户"))
    lost, dollars = _opportunity(customers, customer, lost=True), _opportunity(customers, customer, currency="USD")
    order = _made(customers, customer, status="confirmed")

    done = _done(customers, order, "complete")
    assert done["suggest_opportunity"]
    assert {one["id"] for one in done["open_opportunities"]} == {str(one) for one in (wanted, other, dollars)}
    for id_, problem in (
        (foreign, ("/opportunity_id", "unknown_opportunity")),
        (lost, ("/opportunity_id", "opportunity_lost")),
        (dollars, ("/currency", "currency_differs")),
    ):
        assert _problems(_act(customers, order, "link", opportunity_id=str(id_))) == (422, [problem])

    assert _done(customers, order, "link", opportunity_id=str(wanted))["opportunity"]["name"] == "年度采购"
    assert (_won(customers, wanted), _won(customers, other)) == (("won", "300.00"), ("initial", "900.00"))
    _done(customers, order, "link", opportunity_id=str(other))
    assert (_won(customers, wanted), _won(customers, other)) == (("initial", "900.00"), ("won", "300.00"))
    assert _done(customers, order, "link", opportunity_id=None)["opportunity"] is None
    assert _won(customers, other) == ("initial", "900.00")


def test_where_stages_are_moved_by_hand_an_order_wins_no_opportunity(customers: Any) -> None:
    """L-08, L-10, off."""
    customer = customers.create(customers.organisation.sales)
    wanted = _opportunity(customers, customer)
    with customers.database.transaction() as session:
        session.scalars(select(OpportunitySettings)).one().restrict_manual_won = False

    _done(customers, _made(customers, customer, opportunity_id=str(wanted), status="confirmed"), "complete")

    assert _won(customers, wanted) == ("initial", "900.00")
    assert customers.outbox(events.CustomerUpdated)[-1].customers[0].won


def test_only_what_is_open_is_changed_and_mistakes_are_undone(customers: Any) -> None:
    customer = customers.create(customers.organisation.sales)
    order = _made(customers, customer)
    assert _act(customers, order, "complete").json["code"] == "order_step_refused"
    confirmed = _done(customers, order, "confirm")
    assert _patch(customers, confirmed, remark="加急").json["remark"] == "加急"
    completed = _done(customers, order, "complete")

    for reply in (_patch(customers, completed, remark="晚了"), _delete(customers, completed)):
        assert (reply.status_code, reply.json["code"]) == (409, "order_completed")
    cancelled = _done(customers, order, "cancel", note="录错")
    assert _patch(customers, cancelled, remark="晚了").json["code"] == "order_cancelled"
    assert _act(customers, order, "link", opportunity_id=None).json["code"] == "order_cancelled"
    reopened = _done(customers, order, "reopen")
    assert (reopened["status"], reopened["cancelled_at"], reopened["cancel_note"]) == ("draft", None, None)

    assert _delete(customers, reopened).status_code == 204
    assert (_listed(customers, customers.organisation.sales), _read(customers, order)["deleted_at"] is None) == (
        [],
        False,
    )
    assert _listed(customers, customers.organisation.sales, deleted=True) == [order["number"]]
    assert _act(customers, order, "confirm").status_code == 404
    assert _done(customers, order, "restore")["deleted_at"] is None
    assert _listed(customers, customers.organisation.sales) == [order["number"]]


def test_a_change_on_an_older_version_tells_both_values_of_what_others_changed(customers: Any) -> None:
    order = _made(customers, customers.create(customers.organisation.sales))
    _patch(customers, order, remark="甲", lines=[LINE, LINE])

    stale = _patch(customers, order, customers.organisation.supervisor, remark="乙", deal_on=_day(-3), lines=[LINE])

    assert (stale.status_code, stale.json["version"]) == (412, 2)
    conflicts = {one["field"]: (one["current"], one["yours"]) for one in stale.json["conflicts"]}
    assert conflicts.keys() == {"remark", "lines"}
    assert conflicts["remark"] == ("甲", "乙")
    path = f"/orders/{order['id']}"
    assert customers.request("PATCH", path, customers.organisation.sales, json={}).status_code == 428
    assert _delete(customers, order).status_code == 412


def test_who_sees_the_customer_sees_its_orders_and_who_changes_it_writes_them(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    order = _made(customers, customer)
    path = f"/customers/{customer['id']}/collaborators"

    assert customers.request("GET", f"/orders/{order['id']}", organisation.rival).status_code == 404
    assert (_listed(customers, organisation.rival), _listed(customers, organisation.supervisor)) == (
        [],
        [order["number"]],
    )
    assert _post(customers, organisation.rival, customer).status_code == 404
    body = {"collaborators": [{"member_id": str(organisation.rival.id), "access": "read"}]}
    customers.request("POST", path, organisation.sales, json=body)
    assert _listed(customers, organisation.rival) == [order["number"]]
    for refused in (
        _post(customers, organisation.rival, customer),
        _patch(customers, order, organisation.rival, remark="我"),
        _act(customers, order, "confirm", organisation.rival),
    ):
        assert (refused.status_code, refused.json["code"]) == (403, "read_only_collaborator")

    customers.request("POST", f"/customers/{customer['id']}:lock", organisation.sales)
    assert customers.request("GET", f"/orders/{order['id']}", organisation.supervisor).status_code == 404
    customers.request("POST", f"/customers/{customer['id']}:unlock", organisation.sales)
    customers.move(customer, 2, Place(pool_id=str(customers.open_pool)))
    assert _act(customers, order, "confirm").json["code"] == "claim_first"
    assert _act(customers, order, "confirm", organisation.supervisor).status_code == 200


def test_orders_lie_in_the_recycle_bin_with_their_customer(customers: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)
    order = _made(customers, customer)
    path, headers = f"/customers/{customer['id']}", {"If_Match": '"1"'}

    assert customers.request("DELETE", path, sales, headers=headers).status_code == 204
    assert _listed(customers, sales) == _listed(customers, customers.organisation.admin) == []
    assert customers.request("GET", f"/orders/{order['id']}", sales).status_code == 404
    customers.request("POST", f"{path}:restore", sales)
    assert _read(customers, order) == order


def test_orders_are_found_by_what_they_say(customers: Any) -> None:
    organisation = customers.organisation
    first, second = customers.create(organisation.sales, "春松科技"), customers.create(organisation.sales, "秋叶贸易")
    wanted = _opportunity(customers, first)
    a = _made(customers, first, deal_on=_day(-9), opportunity_id=str(wanted))["number"]
    b = _made(customers, first, deal_on=_day(-3), amount="5", status="confirmed")["number"]
    c = _made(customers, second, deal_on=_day(-6), currency="USD", member_id=str(organisation.colleague.id))["number"]

    for member in (organisation.sales, organisation.admin):
        for query, found in (
            ({}, [c, b, a]),
            ({"sort": "created_at"}, [a, b, c]),
            ({"sort": "deal_on"}, [a, c, b]),
            ({"sort": "-deal_on"}, [b, c, a]),
            ({"customer_id": first["id"]}, [b, a]),
            ({"opportunity_id": str(wanted)}, [a]),
            ({"status": "confirmed"}, [b]),
            ({"member_id": str(organisation.colleague.id)}, [c]),
            ({"owner_id": str(organisation.sales.id)}, [c, b, a]),
            ({"deal_from": _day(-6), "deal_to": _day(-4)}, [c]),
            ({"currency": "usd"}, [c]),
            ({"amount_from": "5", "amount_to": "299.99"}, [b]),
            ({"search": str(b)}, [b]),
            ({"search": "春松"}, [b, a]),
            ({"search": "9" * 30}, []),
        ):
            assert _listed(customers, member, **query) == found, query
    page = customers.request("GET", "/orders?page=2&page_size=2", organisation.sales).json
    assert ([one["number"] for one in page["items"]], page["total"]) == ([a], 3)


def test_sales_see_orders_of_customers_in_their_pools(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    customers.move(customer, 2, Place(pool_id=str(customers.open_pool)))
    order = _post(customers, organisation.supervisor, customer).json

    assert order["owner"] is None
    assert _listed(customers, organisation.rival) == [order["number"]]


def test_the_same_request_again_makes_and_moves_one_order(customers: Any) -> None:
    sales, headers = customers.organisation.sales, {"Idempotency_Key": "a"}
    body = {"customer_id": customers.create(sales)["id"], "lines": [LINE], "status": "confirmed"}
    made = [customers.request("POST", "/orders", sales, json=body, headers=headers).json for _ in range(2)]
    path = f"/orders/{made[0]['id']}:complete"
    moved = [customers.request("POST", path, sales, headers=headers).json for _ in range(2)]

    assert (made[0], moved[0]) == (made[1], moved[1])
    assert _listed(customers, sales) == [made[0]["number"]]
