"""Whatever is sent, no route breaks."""

from typing import Any

import pytest

from tests.support.fuzzing import broken_routes


@pytest.mark.parametrize("role", ["admin", "sales"])
def test_no_request_made_out_of_the_document_breaks_a_route(customers: Any, role: str) -> None:
    member = getattr(customers.organisation, role)
    customer = customers.create(member, contact={"name": "王磊", "mobile": "13800138000"})

    assert broken_routes(customers, customers.headers(member), {"customer_id": customer["id"]}) == {}
