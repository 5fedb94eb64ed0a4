"""Every route asks who calls and whether they may."""

import re
from typing import Any

import pytest

from chassis.http.api import Access, Route
from crm_pool.service import SERVICE

ROUTES = [route for api in SERVICE.apis for route in api.routes if route.access is not Access.MEMBER]
ANY_ID = "00000000-0000-7000-8000-000000000000"


def _path(route: Route) -> str:
    return "/api/v1" + re.sub(r"<uuid:\w+>", ANY_ID, route.path)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation_id)
def test_a_route_refuses_the_anonymous_and_whoever_lacks_the_right(sea: Any, route: Route) -> None:
    sea.change_role("sales", without=str(route.access))
    headers = sea.opened.headers(sea.organisation.sales)

    anonymous = sea.opened.client.open(_path(route), method=route.method, json={})
    without = sea.opened.client.open(_path(route), method=route.method, json={}, headers=headers)

    assert (anonymous.status_code, without.status_code, without.json["code"]) == (401, 403, "forbidden")


@pytest.mark.parametrize(
    "path",
    [
        "/pools/{id}",
        "/assignments/{id}",
        "/assignments/{id}/history",
        "/assignments/batches/{id}",
        "/assignments/leavers/{id}",
        "/releases/{id}",
    ],
)
def test_what_does_not_exist_is_404(sea: Any, path: str) -> None:
    reply = sea.send("GET", path.format(id=ANY_ID), sea.organisation.admin)

    assert (reply.status_code, reply.json["code"]) == (404, "not_found")
