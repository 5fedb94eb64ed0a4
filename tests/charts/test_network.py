"""NetworkPolicies let through the calls that the code makes, and no others."""

from itertools import product

import pytest

from tests.charts import calls
from tests.charts.helm import cases
from tests.charts.network import may_call, may_enter, may_leave, rules
from tests.charts.pods import pods
from tests.support.repository import SERVICE_PACKAGES

SERVICES = {package.removeprefix("crm_") for package in SERVICE_PACKAGES}
SERVERS = {"postgresql": 5432, "nats": 4222, "valkey": 6379}
whole = pytest.mark.parametrize(
    "case", [case for case in cases() if case.chart == "highsea" and case.is_guarded], ids=str
)


@whole
@pytest.mark.parametrize("allows", [may_leave, may_enter], ids=["out", "in"])
def test_services_may_call_each_other_as_the_code_does(case, allows) -> None:
    objects = case.render()
    ours = [pod for pod in pods(objects) if pod.service in SERVICES]
    allowed = {
        (caller.service, callee.service)
        for caller, callee in product(ours, ours)
        if callee.port("grpc") and allows(objects, caller, callee, callee.port("grpc"))
    }

    assert allowed == calls.edges()


@whole
def test_only_what_has_business_there_reaches_a_trial_server(case) -> None:
    objects = case.render()
    everybody = pods(objects)
    servers = [pod for pod in everybody if pod.service in SERVERS and pod.is_lasting]
    allowed = {
        (caller.service, server.service)
        for caller, server in product(everybody, servers)
        if may_call(objects, caller, server, SERVERS[server.service]) and caller.service not in SERVERS
    }

    assert allowed == set(product(SERVICES if servers else (), SERVERS))


@whole
def test_no_service_listens_to_another_but_by_grpc(case) -> None:
    objects = case.render()
    ours = [pod for pod in pods(objects) if pod.service in SERVICES]

    assert [
        f"{caller} → {callee} {port}"
        for caller, callee, port in product(ours, ours, ("http", "metrics"))
        if callee.port(port) and may_enter(objects, caller, callee, callee.port(port))
    ] == []


@whole
def test_every_rule_names_peers_and_ports(case) -> None:
    objects = case.render()
    open_ = [
        f"{pod}: {rule}"
        for pod in pods(objects)
        for direction, peers in (("Ingress", "from"), ("Egress", "to"))
        for rule in rules(objects, pod, direction)
        if not rule.get(peers) or not rule.get("ports")
    ]

    assert open_ == []
