"""Who gets in: nobody without a token, nobody outside the scope, and everybody with a token while identity is away."""

import re

import httpx
import pytest

from chassis.http.api import Access
from chassis.identifiers import new_id
from crm_customer.service import SERVICE as CUSTOMER
from crm_identity.service import SERVICE as IDENTITY
from crm_import.service import SERVICE as IMPORT
from crm_notify.service import SERVICE as NOTIFY
from crm_pool.service import SERVICE as POOL
from highsea_local.demo.gateway import Refused, until
from tests.support.whole import Whole, owner_of

pytestmark = pytest.mark.system
SERVICES = (IDENTITY, CUSTOMER, POOL, IMPORT, NOTIFY)
ROUTES = [(service, route) for service in SERVICES for api in service.apis for route in api.routes]
OPEN = {
    "POST /auth/login",
    "POST /auth/refresh",
    "POST /auth/password",
    "GET /auth/password",
    "POST /auth/password:redeem",
    "POST /auth/service-token",
    "GET /auth/jwks",
}


def _path(template: str) -> str:
    return re.sub(r"<(\w+:)?\w+>", str(new_id()), template)


def test_only_logging_in_and_public_keys_are_open_to_anyone() -> None:
    found = {f"{route.method} {route.path}" for _, route in ROUTES if route.access is Access.ANYONE}

    assert found == OPEN


def test_no_route_answers_without_a_token(whole: Whole) -> None:
    for _, route in ROUTES:
        if f"{route.method} {route.path}" in OPEN:
            continue
        url = f"{whole.system.gateway_url}/api/v1{_path(route.path)}"
        reply = httpx.request(route.method, url, json={} if route.body else None)
        assert (reply.status_code, reply.json()["code"]) == (401, "token_missing"), f"{route.method} {route.path}"


def test_the_description_of_each_service_lists_every_route(whole: Whole) -> None:
    for service in SERVICES:
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


def test_a_customer_outside_the_scope_does_not_exist_for_a_salesperson(whole: Whole) -> None:
    owner, other = whole.person("sales"), whole.person("sales", 1)
    name = f"隐藏{new_id().hex}"
    customer = owner.post("/customers", {"name": name, "contact": {"name": "甲", "mobile": "13912345678"}})
    until(lambda: owner.get(f"/assignments/{customer['id']}"))
    before = other.get("/customers", page_size=1)["total"]

    attempts = [
        lambda: other.get(f"/customers/{customer['id']}"),
        lambda: other.patch(f"/customers/{customer['id']}", {"remark": "x"}, 1),
        lambda: other.get(f"/customers/{customer['id']}/history"),
        lambda: other.get(f"/assignments/{customer['id']}"),
        lambda: other.get(f"/assignments/{customer['id']}/history"),
        lambda: other.post("/assignments:transfer", {"customer_ids": [customer["id"]], "member_id": other.id}),
        lambda: other.post("/assignments:release", {"customer_ids": [customer["id"]], "pool_id": whole.pool()["id"]}),
    ]
    for attempt in attempts:
        with pytest.raises(Refused) as refused:
            attempt()
        assert refused.value.status == 404

    assert other.get("/customers", search=name)["total"] == 0
    assert other.get("/customers", owner_id=owner.id)["items"] == []
    owner.post("/customers", {"name": f"隐藏{new_id().hex}"})
    assert other.get("/customers", page_size=1)["total"] == before


def test_everybody_with_a_token_goes_on_working_while_identity_is_away(whole: Whole) -> None:
    seller, supervisor = whole.person("sales"), whole.person("supervisor")
    pooled = whole.customers_in_pool([f"身份离线{new_id().hex}"])
    processes = [whole.system.process(name) for name in ("identity-serve", "identity-work")]
    for process in processes:
        process.stop()
    try:
        made = seller.post("/customers", {"name": f"身份离线{new_id().hex}"})
        seller.patch(f"/customers/{made['id']}", {"remark": "改"}, made["version"])
        assert seller.post("/assignments:claim", {"customer_ids": pooled})["succeeded"] == 1
        assert seller.get("/customers", search="身份离线")["total"] >= 2
        assert supervisor.get("/imports")["total"] >= 0
        assert seller.get("/notifications/unread-count")["unread"] >= 0
    finally:
        for process in processes:
            process.start()


def test_customers_are_created_and_edited_while_pool_is_away_and_get_their_place_when_it_is_back(whole: Whole) -> None:
    seller, operations, pool = whole.person("sales"), whole.person("operations"), whole.pool()
    processes = [whole.system.process(name) for name in ("pool-serve", "pool-work")]
    for process in processes:
        process.stop()
    try:
        mine = seller.post("/customers", {"name": f"等位{new_id().hex}"})
        pooled = operations.post("/customers", {"name": f"等位{new_id().hex}", "pool_id": pool["id"]})
        edited = seller.patch(f"/customers/{mine['id']}", {"remark": "改"}, mine["version"])
        assert edited["remark"] == "改"
        assert seller.get(f"/customers/{mine['id']}")["name"] == mine["name"]
    finally:
        for process in processes:
            process.start()

    until(lambda: owner_of(seller.get(f"/assignments/{mine['id']}")) == seller.id)
    until(lambda: seller.post("/assignments:claim", {"customer_ids": [pooled["id"]]})["succeeded"] == 1)
    until(lambda: owner_of(seller.get(f"/customers/{pooled['id']}")) == seller.id)
