"""Whatever is sent, no route breaks."""

from typing import Any

import pytest

from tests.support.fuzzing import broken_routes


@pytest.mark.parametrize("role", ["admin", "sales"])
def test_no_request_made_out_of_the_document_breaks_a_route(customers: Any, role: str) -> None:
    member = getattr(customers.organisation, role)
    customer = customers.create(member, contact={"name": "王磊", "mobile": "13800138000"})
    field = {"zh": "规模", "en": "Size", "kind": "single_choice", "options": [{"zh": "大", "en": "Large"}]}
    made = customers.request("POST", "/fields", customers.organisation.admin, json=field).json
    saved = customers.request("POST", "/views", member, json={"page": "customers", "name": "我的", "filter": {}}).json
    known = {"customer_id": customer["id"], "field_id": made["id"], "dictionary": "industry", "key": "other"}
    known |= {"task_id": customers.request("POST", "/tasks", member, json={"subject": "回访"}).json["id"]}
    given = {"subject": "回访", "handler_ids": [str(member.id)], "customer_ids": [customer["id"]]}
    dispatch = customers.request("POST", "/tasks:dispatch", customers.organisation.admin, json=given).json
    known |= {"dispatch_id": dispatch["id"]}
    known |= {"filter_id": saved["id"], "page": "customers"}
    order = {"customer_id": customer["id"], "amount": "9", "status": "confirmed"}
    known |= {"order_id": customers.request("POST", "/orders", member, json=order).json["id"]}
    opportunity = {"customer_id": known["customer_id"], "name": "采购"}
    known |= {"opportunity_id": customers.request("POST", "/opportunities", member, json=opportunity).json["id"]}
    product = {"name": "传感器", "price": "9"}
    known |= {
        "product_id": customers.request("POST", "/products", customers.organisation.admin, json=product).json["id"]
    }

    assert broken_routes(customers, customers.headers(member), known) == {}
