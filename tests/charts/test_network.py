"""NetworkPolicies let through the calls that the code makes, and no others."""

import json
from itertools import product

import pytest

from tests.charts import calls
from tests.charts.helm import CHARTS, KEDA, NAMESPACE, RELEASE, cases, find, render
from tests.charts.network import may_call, may_enter, may_leave, rules
from tests.charts.pods import pods
from tests.support.repository import SERVICE_PACKAGES, service_of

PACKAGES = {package.removeprefix("crm_"): package for package in SERVICE_PACKAGES}
SERVICES = set(PACKAGES)
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


def test_in_production_each_service_reaches_the_servers_it_needs_and_is_reached_by_gateway_and_prometheus() -> None:
    case = next(case for case in cases() if str(case) == "highsea-production")
    policy = case.choices["networkPolicy"]
    objects = case.render()

    for pod in pods(objects):
        if pod.service in SERVICES:
            entering, leaving = (_outside(objects, pod, direction) for direction in ("Ingress", "Egress"))
            needed = {"dns", "postgresql", "nats", "valkey", "tracing", *_own_servers(pod.service)}
            assert leaving == {_text(policy["to"].get(name, _DNS)["peers"]) for name in needed}, pod
            assert entering == {_text(policy["from"][name]) for name in ("gateway", "monitoring")}, pod


_DNS = {"peers": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}]}


def _own_servers(service) -> set[str]:
    files = {"objectStore"} if calls.keeps_files(service) else set()
    sends = "smtp_url" in service_of(PACKAGES[service]).settings.model_fields
    return files | ({"smtp", "messengers"} if sends else set())


def _outside(objects, pod, direction) -> set[str]:
    """The peers of each rule that is not about Pods of this namespace."""
    peers = [rule["from" if direction == "Ingress" else "to"] for rule in rules(objects, pod, direction)]
    return {_text(entries) for entries in peers if not any(set(entry) == {"podSelector"} for entry in entries)}


def _text(thing) -> str:
    return json.dumps(thing, sort_keys=True)


def test_keda_reads_the_trials_queues_at_a_headless_service_and_may() -> None:
    objects = render("highsea", CHARTS / "highsea/ci/trial-values.yaml", apis=[KEDA])
    scaled = find(objects, "ScaledObject", f"{RELEASE}-import-process")
    endpoints = {trigger["metadata"]["natsServerMonitoringEndpoint"] for trigger in scaled["spec"]["triggers"]}
    host, _, port = endpoints.pop().partition(":")
    nats = next(pod for pod in pods(objects) if pod.service == "nats")
    readers = [rule["from"] for rule in rules(objects, nats, "Ingress") if {"port": int(port)} in rule["ports"]]

    assert not endpoints
    assert host == f"{RELEASE}-nats.{NAMESPACE}.svc"
    assert find(objects, "Service", f"{RELEASE}-nats")["spec"]["clusterIP"] == "None"
    assert nats.port(int(port))
    assert readers == [[{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "keda"}}}]]
