"""Requests reach the service that deploy/routes.yaml names, through the Gateway API and through Ingress alike."""

import re

import pytest

from highsea_local.routes import load
from tests.charts.helm import CHARTS, RELEASE, render
from tests.charts.routing import rules, target
from tests.support.repository import ROOT, SERVICE_PACKAGES, routes_declared

TABLE = load(ROOT / "deploy/routes.yaml")
VALUES = CHARTS / "highsea/ci/production-values.yaml"
OWNERS = {resource: service.service for service in TABLE.services for resource in service.resources}
PUSHED = {path: service.service for service in TABLE.services for paths in service.roles.values() for path in paths}
MODES = {
    "httproute": {"global.gateway.kind": "httproute", "global.gateway.parentRefs": [{"name": "web"}]},
    "ingress": {"global.gateway.kind": "ingress"},
}


@pytest.fixture(scope="module", params=MODES)
def routing(request):
    return rules(render("highsea", VALUES, changes=MODES[request.param]))


def _serve(service: str) -> set:
    return {(f"{RELEASE}-{service}-serve", 8000)}


def _declared() -> dict[str, str]:
    """A path of every route in the code → its service."""
    return {
        TABLE.prefix + re.sub(r"\{\}", "0198c5a1", path): package.removeprefix("crm_")
        for package in SERVICE_PACKAGES
        for _, path in routes_declared(package)
    }


@pytest.mark.parametrize("below", ["", "/", "/0198c5a1", "/0198c5a1:restore", "/0198c5a1/contacts"])
def test_a_resource_and_what_lies_below_it_reach_its_service_alone(routing, below) -> None:
    found = {resource: target(routing, f"{TABLE.prefix}/{resource}{below}") for resource in OWNERS}

    assert found == {resource: _serve(service) for resource, service in OWNERS.items()}


def test_every_route_of_the_code_reaches_its_service(routing) -> None:
    wanted = {path: _serve(service) for path, service in _declared().items() if path not in PUSHED}

    assert wanted
    assert {path: target(routing, path) for path in wanted} == wanted


@pytest.mark.parametrize("page", ["openapi.json", "docs", "docs/swagger-ui.css"])
def test_every_service_is_described(routing, page) -> None:
    for service in TABLE.services:
        assert target(routing, f"{TABLE.prefix}/{service.service}/{page}") == _serve(service.service)


def test_streams_reach_the_role_that_holds_them(routing) -> None:
    assert PUSHED
    for path, service in PUSHED.items():
        assert target(routing, path) == {(f"{RELEASE}-{service}-push", 8000)}
        assert target(routing, f"{path}/more") == _serve(service)


@pytest.mark.parametrize("after", ["-x", "x", ".json", "%2Fx"])
def test_a_name_that_only_begins_alike_reaches_nobody(routing, after) -> None:
    longer = [f"{TABLE.prefix}/{resource}{after}" for resource in OWNERS if f"{resource}{after}" not in OWNERS]

    assert {path: target(routing, path) for path in longer} == {path: set() for path in longer}


@pytest.mark.parametrize("path", ["/", "/api", "/api/v1", "/api/v1/", "/api/v2/customers", "/metrics", "/livez"])
def test_what_no_service_owns_reaches_nobody(routing, path) -> None:
    assert target(routing, path) == set()
