"""Opportunities: who keeps them, how they are won and lost, and what others are told of them."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from chassis.clock import now
from chassis.identifiers import new_id
from chassis.rpc.client import on_behalf_of
from crm.common.v1.place_pb2 import Place
from crm.customer.v1 import customer_events_pb2 as events
from crm.customer.v1 import customer_service_pb2 as pb
from crm_customer.customers.model import Customer
from crm_customer.opportunities.queries import locked_opportunity
from crm_customer.opportunities.rules import refusal
from crm_customer.opportunities.stages import follow_orders


def _post(customers: Any, member: Any, customer: Any, **fields: Any) -> Any:
    body = {"customer_id": customer["id"], "name": "年度采购"} | fields
    return customers.request("POST", "/opportunities", member, json=body)


def _made(customers: Any, member: Any, customer: Any, **fields: Any) -> Any:
    reply = _post(customers, member, customer, **fields)
    assert reply.status_code == 201, reply.text
    return reply.json


def _act(customers: Any, member: Any, opportunity: Any, verb: str, **body: Any) -> Any:
    path = f"/opportunities/{opportunity['id']}:{verb}"
    return customers.request("POST", path, member, **({"json": body} if body else {}))


def _patch(customers: Any, member: Any, opportunity: Any, **changes: Any) -> Any:
    headers = {"If_Match": f'"{opportunity["version"]}"'}
    return customers.request("PATCH", f"/opportunities/{opportunity['id']}", member, json=changes, headers=headers)


def _read(customers: Any, member: Any, opportunity: Any) -> Any:
    return customers.request("GET", f"/opportunities/{opportunity['id']}", member)


def _restrict(customers: Any, restricts: bool) -> None:
    admin, path = customers.organisation.admin, "/opportunities/settings"
    headers = {"If_Match": customers.request("GET", path, admin).headers["ETag"]}
    reply = customers.request("PATCH", path, admin, json={"restrict_manual_won": restricts}, headers=headers)
    assert reply.status_code == 200, reply.text


def _complete(customers: Any, opportunity: Any, completed: str | None) -> None:
    """What orders do: complete, change or cancel orders worth `completed` together."""
    with customers.database.transaction() as session:
        session.get_one(Customer, UUID(opportunity["customer"]["id"]), with_for_update=True)
        row = locked_opportunity(session, UUID(opportunity["id"]))
        follow_orders(session, row, completed and Decimal(completed), customers.organisation.sales.id, now())


def _errors(reply: Any) -> list[tuple[str, str]]:
    assert reply.status_code == 422, reply.text
    return [(error["pointer"], error["code"]) for error in reply.json["errors"]]


def _facts(rpc: Any, customer: Any) -> Any:
    (fact,) = rpc("pool").GetCustomerFacts(pb.GetCustomerFactsRequest(customer_ids=[customer["id"]])).customers
    return fact


def test_an_opportunity_is_created_read_and_told_of(customers: Any, rpc: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales, contact={"name": "李四"})
    (contact,) = customers.contacts_of(sales, customer)

    made = _made(
        customers,
        sales,
        customer,
        contact_id=contact["id"],
        amount="12000.5",
        expected_on="2027-01-31",
        source="转介绍",
        heat="hot",
    )

    assert (
        made.items()
        >= {
            "name": "年度采购",
            "amount": "12000.50",
            "currency": "CNY",
            "stage": "initial",
            "expected_on": "2027-01-31",
            "source": "referral",
            "channel": None,
            "heat": "hot",
            "won_by_orders": False,
            "closed_at": None,
            "customer": {"id": customer["id"], "name": customer["name"]},
            "contact": {"id": contact["id"], "name": "李四"},
            "owner": {"id": str(sales.id), "name": "张三", "active": True},
        }.items()
    )
    read = _read(customers, sales, made)
    assert (read.json, read.headers["ETag"]) == (made, '"1"')
    (told,) = customers.outbox(events.CustomerUpdated)
    fact = _facts(rpc, customer)
    assert [*told.customers] == [fact]
    assert (fact.open_opportunities, fact.facts_version) == (1, 2)
    assert fact.last_opportunity_at.ToJsonString()[:23] == made["created_at"][:23]
    assert customers.request("GET", f"/customers/{customer['id']}", sales).headers["ETag"] == '"1"'


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"name": "  "}, ("/name", "string_too_short")),
        ({"name": "字" * 101}, ("/name", "string_too_long")),
        ({"amount": "-1"}, ("/amount", "amount_invalid")),
        ({"amount": "1.005"}, ("/amount", "amount_invalid")),
        ({"amount": "NaN"}, ("/amount", "amount_invalid")),
        ({"amount": "1" * 13}, ("/amount", "amount_invalid")),
        ({"currency": "XXX"}, ("/currency", "unknown_currency")),
        ({"stage": "won"}, ("/stage", "open_stage_required")),
        ({"stage": "没有的"}, ("/stage", "unknown_option")),
        ({"heat": "滚烫"}, ("/heat", "unknown_option")),
        ({"expected_on": "2027"}, ("/expected_on", "date_parsing")),
        ({"contact_id": str(new_id())}, ("/contact_id", "contact_not_linked")),
        ({"owner_id": str(new_id())}, ("/owner_id", "owner_inactive")),
        ({"won_by_orders": True}, ("/won_by_orders", "extra_forbidden")),
    ],
)
def test_a_wrong_opportunity_is_refused_by_the_field(customers: Any, fields: Any, wrong: Any) -> None:
    admin = customers.organisation.admin
    customer = customers.create(admin)

    assert _errors(_post(customers, admin, customer, **fields)) == [wrong]
    assert customers.outbox(events.CustomerUpdated) == []


def test_who_does_not_see_the_customer_or_only_reads_keeps_no_opportunity(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    made = _made(customers, organisation.sales, customer)
    etag = {"If_Match": '"1"'}

    assert _post(customers, organisation.rival, customer).status_code == 404
    assert _read(customers, organisation.rival, made).status_code == 404
    assert _act(customers, organisation.rival, made, "move", stage="initial").status_code == 404
    share = {"collaborators": [{"member_id": str(organisation.rival.id), "access": "read"}]}
    customers.request("POST", f"/customers/{customer['id']}/collaborators", organisation.sales, json=share)
    assert _read(customers, organisation.rival, made).json == made
    refused = [
        _post(customers, organisation.rival, customer),
        _patch(customers, organisation.rival, made, name="改名"),
        _act(customers, organisation.rival, made, "lose", reason="price"),
        customers.request("DELETE", f"/opportunities/{made['id']}", organisation.rival, headers=etag),
    ]

    assert {reply.json["code"] for reply in refused} == {"read_only_collaborator"}
    assert _read(customers, organisation.sales, made).json == made


def test_in_a_pool_sales_claim_first_and_nobody_owns_it(customers: Any) -> None:
    organisation = customers.organisation
    customer = customers.create(organisation.sales)
    customers.move(customer, 2, Place(pool_id=str(customers.open_pool)))

    assert _post(customers, organisation.sales, customer).json["code"] == "claim_first"
    assert _made(customers, organisation.supervisor, customer)["owner"] is None
    named = _post(customers, organisation.supervisor, customer, owner_id=str(organisation.supervisor.id))
    assert _errors(named) == [("/owner_id", "owner_in_pool")]


def test_the_same_request_again_creates_one(customers: Any, rpc: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)
    body = {"customer_id": customer["id"], "name": "一次"}

    first, again = (
        customers.request("POST", "/opportunities", sales, json=body, headers={"Idempotency_Key": "a"})
        for _ in range(2)
    )

    assert first.json == again.json
    assert _facts(rpc, customer).open_opportunities == 1


def test_a_change_needs_the_version_it_was_made_on_and_names_what_clashes(customers: Any) -> None:
    sales = customers.organisation.sales
    made = _made(customers, sales, customers.create(sales), amount="1", heat="cold")
    path = f"/opportunities/{made['id']}"

    assert customers.request("PATCH", path, sales, json={"name": "改名"}).status_code == 428
    changed = _patch(customers, sales, made, name="改名", amount="2.50", heat=None).json
    assert (changed["name"], changed["amount"], changed["heat"], changed["version"]) == ("改名", "2.50", None, 2)
    stale = _patch(customers, sales, made, name="别名", description="新的")
    same = _patch(customers, sales, changed, amount=2.5)

    assert (stale.status_code, stale.json["version"]) == (412, 2)
    assert stale.json["conflicts"] == [{"field": "name", "current": "改名", "yours": "别名"}]
    assert same.json == changed
    assert _errors(_patch(customers, sales, changed, name=None))[0][0] == "/name"


@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("current", ["initial", "won", "lost"])
@pytest.mark.parametrize("wanted", ["initial", "won", "lost"])
def test_who_may_move_what_by_hand(restricted: bool, current: str, wanted: str) -> None:
    """L-08, L-09, X-29."""
    refused = {
        (True, "initial", "won"): "won_by_orders_only",
        (True, "lost", "won"): "won_by_orders_only",
        (True, "won", "initial"): "opportunity_won",
        (True, "won", "lost"): "opportunity_won",
        (False, "won", "lost"): "opportunity_won",
    }

    assert refusal(current, wanted, restricted=restricted) == refused.get((restricted, current, wanted))


def test_a_manual_win_is_refused_with_the_remedy_and_allowed_when_the_restriction_is_lifted(customers: Any) -> None:
    sales = customers.organisation.sales
    made = _made(customers, sales, customers.create(sales))

    for verb, body in (("win", {}), ("move", {"stage": "结束阶段-已成单"})):
        refused = _act(customers, sales, made, verb, **body)
        assert (refused.status_code, refused.json["code"]) == (409, "won_by_orders_only")
    assert "完成" in refused.json["detail"]

    _restrict(customers, False)
    won = _act(customers, sales, made, "win").json
    assert (won["stage"], won["order_suggested"], won["won_by_orders"]) == ("won", True, False)
    assert won["closed_at"] is not None
    assert _act(customers, sales, won, "lose", reason="price").json["code"] == "opportunity_won"
    opened = _act(customers, sales, won, "reopen").json
    assert (opened["stage"], opened["closed_at"]) == ("initial", None)


def test_losing_wants_a_reason_and_can_be_taken_back(customers: Any, rpc: Any) -> None:
    organisation = customers.organisation
    option = {"zh": "方案报价", "en": "Proposal"}
    stages = "/dictionaries/opportunity_stage/options"
    stage = customers.request("POST", stages, organisation.admin, json=option).json["key"]
    customer = customers.create(organisation.sales)
    made = _made(customers, organisation.sales, customer)
    moved = _act(customers, organisation.sales, made, "move", stage="方案报价").json

    assert moved["stage"] == stage
    assert _errors(_act(customers, organisation.sales, made, "move", stage="lost")) == [
        ("/stage", "lost_reason_required")
    ]
    assert _errors(_act(customers, organisation.sales, made, "lose", reason="没有")) == [("/reason", "unknown_option")]
    lost = _act(customers, organisation.sales, made, "lose", reason="价格", note="贵了一成").json
    assert (lost["stage"], lost["lost_reason"], lost["close_note"]) == ("lost", "price", "贵了一成")
    assert _facts(rpc, customer).open_opportunities == 0
    opened = _act(customers, organisation.sales, made, "reopen").json
    assert (opened["stage"], opened["lost_reason"]) == (stage, None)
    assert _facts(rpc, customer).open_opportunities == 1


def test_orders_win_an_opportunity_set_its_amount_and_give_it_back(customers: Any, rpc: Any) -> None:
    """L-08 to L-10."""
    sales = customers.organisation.sales
    customer = customers.create(sales)
    made = _made(customers, sales, customer, amount="500")

    _complete(customers, made, "300.00")
    won = _read(customers, sales, made).json
    assert (won["stage"], won["amount"], won["won_by_orders"]) == ("won", "300.00", True)
    assert _facts(rpc, customer).open_opportunities == 0
    assert _errors(_patch(customers, sales, won, amount="1")) == [("/amount", "amount_follows_orders")]
    assert _patch(customers, sales, won, description="补充").json["amount"] == "300.00"
    assert _act(customers, sales, made, "reopen").json["code"] == "opportunity_won"

    _complete(customers, made, "450.00")
    _complete(customers, made, "450.00")
    followed = _read(customers, sales, made).json
    assert (followed["amount"], followed["version"]) == ("450.00", won["version"] + 2)

    _complete(customers, made, None)
    opened = _read(customers, sales, made).json
    assert (opened["stage"], opened["amount"], opened["closed_at"]) == ("initial", "500.00", None)
    assert _facts(rpc, customer).open_opportunities == 1


def test_what_was_lost_is_lost_again_without_orders_and_unrestricted_stages_are_moved_by_hand_alone(
    customers: Any,
) -> None:
    sales = customers.organisation.sales
    made = _made(customers, sales, customers.create(sales))
    _act(customers, sales, made, "lose", reason="price")

    _complete(customers, made, "1.00")
    assert _read(customers, sales, made).json["stage"] == "won"
    _complete(customers, made, None)
    lost = _read(customers, sales, made).json
    assert (lost["stage"], lost["lost_reason"], lost["amount"]) == ("lost", "price", None)

    _restrict(customers, False)
    _complete(customers, made, "1.00")
    assert _read(customers, sales, made).json == lost


def test_a_deleted_opportunity_counts_no_more_until_it_is_restored(customers: Any, rpc: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)
    made = _made(customers, sales, customer)
    path = f"/opportunities/{made['id']}"

    assert customers.request("DELETE", path, sales, headers={"If_Match": '"7"'}).status_code == 412
    assert customers.request("DELETE", path, sales, headers={"If_Match": '"1"'}).status_code == 204
    deleted = _facts(rpc, customer)
    assert (deleted.open_opportunities, deleted.HasField("last_opportunity_at")) == (0, False)
    assert _act(customers, sales, made, "move", stage="initial").status_code == 404
    assert _read(customers, sales, made).json["deleted_at"] is not None

    assert _act(customers, sales, made, "restore").json["deleted_at"] is None
    assert _facts(rpc, customer).open_opportunities == 1


def test_a_handover_card_holds_the_newest_open_opportunities(customers: Any, rpc: Any) -> None:
    sales = customers.organisation.sales
    customer = customers.create(sales)
    made = [_made(customers, sales, customer, name=f"机会{number}", amount=number) for number in range(7)]
    _act(customers, sales, made[5], "lose", reason="price")
    request = pb.GetHandoverCardRequest(customer_id=customer["id"])

    card = rpc("pool").GetHandoverCard(request, metadata=on_behalf_of(sales.id))

    shown = [(one.id, one.name, one.stage, one.amount, one.currency) for one in card.opportunities]
    expected = [made[number] for number in (6, 4, 3, 2, 1)]
    assert shown == [(one["id"], one["name"], "initial", one["amount"], "CNY") for one in expected]


def test_settings_are_an_administrators_and_need_a_version(customers: Any) -> None:
    organisation, path = customers.organisation, "/opportunities/settings"
    body, etag = {"restrict_manual_won": False}, {"If_Match": '"1"'}

    assert customers.request("GET", path, organisation.sales).json == {"version": 1, "restrict_manual_won": True}
    assert customers.request("PATCH", path, organisation.sales, json=body, headers=etag).status_code == 403
    assert customers.request("PATCH", path, organisation.admin, json=body).status_code == 428
    changed = customers.request("PATCH", path, organisation.admin, json=body, headers=etag)
    assert (changed.json["version"], changed.headers["ETag"]) == (2, '"2"')
    stale = customers.request("PATCH", path, organisation.admin, json={"restrict_manual_won": True}, headers=etag)
    assert stale.json["conflicts"] == [{"field": "restrict_manual_won", "current": False, "yours": True}]
