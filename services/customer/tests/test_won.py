"""已成交: customers that an order was completed with (C-21)."""

import json
from typing import Any
from uuid import UUID

from chassis.rpc.client import on_behalf_of
from crm.common.v1.place_pb2 import Place
from crm.common.v1.selection_pb2 import CustomerFilter, Selection
from crm.customer.v1 import customer_events_pb2 as events
from crm.customer.v1 import customer_service_pb2 as pb
from crm_customer.customers.commands import tell_facts
from crm_customer.customers.model import Customer


def _win(customers: Any, customer: Any) -> None:
    with customers.database.transaction() as session:
        won = session.get_one(Customer, UUID(customer["id"]), with_for_update=True)
        tell_facts(session, won, customers.organisation.sales.id, won=True)


def test_won_customers_are_listed_and_found_by_a_condition(customers: Any) -> None:
    organisation = customers.organisation
    won, other = customers.create(organisation.sales, "成交的"), customers.create(organisation.sales, "没有的")
    pooled = customers.create(organisation.sales, "公海里成交的")
    for customer in (won, pooled):
        _win(customers, customer)
    customers.move(pooled, 2, Place(pool_id=str(customers.open_pool)))
    condition = json.dumps([{"field": "won", "operator": "any_of", "values": ["true"]}])

    for order in ("created_at", "updated_at"):
        assert customers.listed(organisation.sales, view="won", sort=order) == ["成交的", "公海里成交的"]
    assert customers.listed(organisation.sales, view="won", owner_id=str(organisation.sales.id)) == ["成交的"]
    assert customers.listed(organisation.sales, conditions=condition, sort="created_at") == ["成交的", "公海里成交的"]
    assert customers.listed(organisation.rival, view="won") == ["公海里成交的"]
    read = customers.request("GET", f"/customers/{won['id']}", organisation.sales)
    assert (read.json["won"], read.headers["ETag"]) == (True, '"1"')
    assert customers.request("GET", f"/customers/{other['id']}", organisation.sales).json["won"] is False


def test_won_customers_can_be_selected(customers: Any, rpc: Any) -> None:
    sales = customers.organisation.sales
    won = customers.create(sales)
    customers.create(sales, "没有的")
    _win(customers, won)
    request = pb.ResolveSelectionRequest(selection=Selection(filter=CustomerFilter(view="won")))

    answer = rpc("pool").ResolveSelection(request, metadata=on_behalf_of(sales.id))

    assert list(answer.customer_ids) == [won["id"]]


def test_a_fact_that_is_no_news_is_not_told(customers: Any) -> None:
    customer = customers.create(customers.organisation.sales)

    for _ in range(2):
        _win(customers, customer)

    (told,) = customers.outbox(events.CustomerUpdated)
    assert told.customers[0].won
