"""What the services say of themselves, and what goes on while pool is away. Who may do what: tests/matrix."""

import re

import httpx
import pytest

from chassis.identifiers import new_id
from highsea_local.demo.gateway import until
from tests.support.repository import SERVICE_PACKAGES, service_of
from tests.support.whole import Whole, owner_of

pytestmark = pytest.mark.system


def test_the_description_of_each_service_lists_every_route(whole: Whole) -> None:
    for service in map(service_of, SERVICE_PACKAGES):
        document = httpx.get(f"{whole.system.gateway_url}/api/v1/{service.name}/openapi.json").json()
        described = {
            f"{method.upper()} {path}" for path, operations in document["paths"].items() for method in operations
        }
        for api in service.apis:
            for route in api.routes:
                path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route.path)
                assert f"{route.method} /api/v1{path}" in described
        page = httpx.get(f"{whole.system.gateway_url}/api/v1/{service.name}/docs/")
        assert page.status_code == 200
        assert "swagger" in page.text.lower()


def test_customers_are_created_and_edited_while_pool_is_away_and_get_their_place_when_it_is_back(whole: Whole) -> None:
    seller, operations, pool = whole.person("sales"), whole.person("operations"), whole.pool()
    with whole.without("pool-serve", "pool-work"):
        mine = seller.post("/customers", {"name": f"等位{new_id().hex}"})
        pooled = operations.post("/customers", {"name": f"等位{new_id().hex}", "pool_id": pool["id"]})
        edited = seller.patch(f"/customers/{mine['id']}", {"remark": "改"}, mine["version"])
        assert edited["remark"] == "改"
        assert seller.get(f"/customers/{mine['id']}")["name"] == mine["name"]

    until(lambda: owner_of(seller.get(f"/assignments/{mine['id']}")) == seller.id)
    until(lambda: seller.post("/assignments:claim", {"customer_ids": [pooled["id"]]})["succeeded"] == 1)
    until(lambda: owner_of(seller.get(f"/customers/{pooled['id']}")) == seller.id)
