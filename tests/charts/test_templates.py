"""What a value changes, and which values are refused."""

import itertools
import json
import re
from collections.abc import Iterator, Mapping

import pytest

from tests.charts.helm import CHARTS, KEDA, RELEASE, Refused, charts, find, name, of_kind, render
from tests.charts.pods import pods
from tests.support.repository import service_of

# The least a service's chart needs.
LEAST = {
    "global.image.tag": "1.0",
    "global.networkPolicy.to.postgresql.peers": [{"ipBlock": {"cidr": "10.0.0.1/32"}}],
    "global.networkPolicy.to.nats.peers": [{"ipBlock": {"cidr": "10.0.0.2/32"}}],
    "global.networkPolicy.to.objectStore.peers": [{"ipBlock": {"cidr": "10.0.0.3/32"}}],
    "global.keda.natsEndpoint": "nats.servers:8222",
}
POD = "spec.template.spec"
CONTAINER = f"{POD}.containers.0"
DIGEST = f"sha256:{'a' * 64}"
SERVE = ("Deployment", f"{RELEASE}-customer-serve")
SETTINGS = ("ConfigMap", f"{RELEASE}-customer")
PROCESS = f"{RELEASE}-import-process"
GATEWAY = {
    "global.publicUrl": "https://crm.example.com",
    "global.networkPolicy.from.gateway": [{"namespaceSelector": {}}],
}
ROUTED = GATEWAY | {"global.gateway.kind": "httproute", "global.gateway.parentRefs": [{"name": "web"}]}
INGRESS = GATEWAY | {"global.gateway.kind": "ingress"}
MONITORED = {"global.monitoring.enabled": True, "global.networkPolicy.from.monitoring": [{"namespaceSelector": {}}]}


def _rendered(chart: str, changes: Mapping, **more) -> list:
    return render(chart, changes=LEAST | changes, **more)


def _at(thing, path: str):
    """`spec.rules.0.host` of an object; None where there is nothing."""
    for part in path.split("."):
        thing = thing[int(part)] if isinstance(thing, list) else (thing or {}).get(part)
    return thing


@pytest.mark.parametrize(
    ("changes", "where", "path", "expected"),
    [
        ({}, SERVE, f"{CONTAINER}.image", "highsea/customer:1.0"),
        (
            {"global.image.registry": "r.example.com/crm/"},
            SERVE,
            f"{CONTAINER}.image",
            "r.example.com/crm/highsea/customer:1.0",
        ),
        ({"image.tag": "1.1"}, SERVE, f"{CONTAINER}.image", "highsea/customer:1.1"),
        ({"image.repository": "own/customer"}, SERVE, f"{CONTAINER}.image", "own/customer:1.0"),
        ({"image.digest": DIGEST}, SERVE, f"{CONTAINER}.image", f"highsea/customer@{DIGEST}"),
        ({"image.digest": DIGEST, "global.image.tag": ""}, SERVE, f"{CONTAINER}.image", f"highsea/customer@{DIGEST}"),
        ({"global.image.pullSecrets": ["pull"]}, SERVE, f"{POD}.imagePullSecrets", [{"name": "pull"}]),
        ({"global.image.pullPolicy": "Always"}, SERVE, f"{CONTAINER}.imagePullPolicy", "Always"),
        ({}, SERVE, "spec.replicas", 2),
        ({"roles.serve.replicas": 3}, SERVE, "spec.replicas", 3),
        ({"roles.serve.autoscaling.enabled": True}, SERVE, "spec.replicas", None),
        ({"roles.serve.resources.limits.memory": "1Gi"}, SERVE, f"{CONTAINER}.resources.limits.memory", "1Gi"),
        ({"global.scheduling.nodeSelector": {"pool": "crm"}}, SERVE, f"{POD}.nodeSelector", {"pool": "crm"}),
        ({"global.scheduling.tolerations": [{"key": "crm"}]}, SERVE, f"{POD}.tolerations", [{"key": "crm"}]),
        ({"global.scheduling.priorityClassName": "high"}, SERVE, f"{POD}.priorityClassName", "high"),
        ({"tmpSize": "1Gi"}, SERVE, f"{POD}.volumes.0.emptyDir.sizeLimit", "1Gi"),
        ({}, SERVE, f"{CONTAINER}.envFrom.1.secretRef.name", f"{RELEASE}-customer"),
        ({"secretName": "mine"}, SERVE, f"{CONTAINER}.envFrom.1.secretRef.name", "mine"),
        ({}, SETTINGS, "data.POOL_GRPC", f"dns:///{RELEASE}-pool-grpc:9000"),
        (
            {"global.instance": "other"},
            ("ConfigMap", "other-customer"),
            "data.POOL_GRPC",
            "dns:///other-pool-grpc:9000",
        ),
        ({"global.settings": {"LOG_LEVEL": "DEBUG"}}, SETTINGS, "data.LOG_LEVEL", "DEBUG"),
        (
            {"global.settings": {"LOG_LEVEL": "DEBUG"}, "settings": {"LOG_LEVEL": "ERROR"}},
            SETTINGS,
            "data.LOG_LEVEL",
            "ERROR",
        ),
        (ROUTED, SETTINGS, "data.PUBLIC_URL", "https://crm.example.com"),
        (ROUTED, ("HTTPRoute", SERVE[1]), "spec.hostnames", ["crm.example.com"]),
        (ROUTED, ("HTTPRoute", SERVE[1]), "spec.parentRefs", [{"name": "web"}]),
        (ROUTED | {"routeAnnotations": {"a": "b"}}, ("HTTPRoute", SERVE[1]), "metadata.annotations", {"a": "b"}),
        (INGRESS, ("Ingress", SERVE[1]), "spec.rules.0.host", "crm.example.com"),
        (INGRESS | {"global.gateway.ingressClassName": "web"}, ("Ingress", SERVE[1]), "spec.ingressClassName", "web"),
        (INGRESS | {"global.gateway.tlsSecretName": "tls"}, ("Ingress", SERVE[1]), "spec.tls.0.secretName", "tls"),
        (
            INGRESS | {"global.gateway.annotations": {"a": "all", "b": "all"}, "routeAnnotations": {"a": "own"}},
            ("Ingress", SERVE[1]),
            "metadata.annotations",
            {"a": "own", "b": "all"},
        ),
        (MONITORED, ("ServiceMonitor", SETTINGS[1]), "spec.endpoints.0.interval", "30s"),
        (
            MONITORED | {"global.monitoring.labels": {"release": "prometheus"}},
            ("ServiceMonitor", SETTINGS[1]),
            "metadata.labels.release",
            "prometheus",
        ),
    ],
)
def test_a_value_arrives(changes, where, path, expected) -> None:
    assert _at(find(_rendered("customer", changes), *where), path) == expected


REFUSALS = [
    ("customer", {"global.image.tag": ""}, "image highsea/customer: set a tag that never moves"),
    ("customer", {"global.image.tag": "latest"}, "image highsea/customer: set a tag that never moves"),
    ("customer", {"image.tag": "latest"}, "image highsea/customer: set a tag that never moves"),
    ("customer", {"image.digest": "sha256:1234"}, "image/digest"),
    ("customer", {"global.instance": "a" * 33}, "global/instance"),
    ("customer", {"global.gateway.kind": "nodeport"}, "global/gateway/kind"),
    ("customer", ROUTED | {"global.publicUrl": ""}, "set global.publicUrl"),
    ("customer", ROUTED | {"global.gateway.parentRefs": []}, "name the Gateway in global.gateway.parentRefs"),
    ("customer", ROUTED | {"global.networkPolicy.from.gateway": []}, "would keep the gateway out"),
    ("customer", MONITORED | {"global.networkPolicy.from.monitoring": []}, "would keep Prometheus out"),
    ("customer", {"global.networkPolicy.to.nats.peers": []}, "would allow no way to nats"),
    ("customer", {"global.trial.enabled": True}, "global.trial.enabled brings its own servers"),
    ("customer", {"roles.serve.replicas": 0}, "roles/serve/replicas"),
    ("customer", {"roles.work.replicas": 0}, "roles/work/replicas"),
    (
        "customer",
        {"roles.serve.autoscaling": {"enabled": True, "min": 5, "max": 3}},
        "lower min or raise max",
    ),
    ("customer", {"roles.serve.autoscaling": {"enabled": True, "min": 0}}, "only a role with a queue"),
    ("customer", {"settings": {"DATABASE_URL": "postgresql://"}}, "DATABASE_URL"),
    ("customer", {"settings": {"IMPORT_MAX_ROWS": "1"}}, "IMPORT_MAX_ROWS"),
    ("import", {"global.keda.mode": "always", "global.keda.natsEndpoint": ""}, "set global.keda.natsEndpoint"),
    ("import", {"global.networkPolicy.to.objectStore.peers": []}, "import has nowhere to keep files"),
    ("customer", {"global.settings": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel:4318"}}, "would keep traces in"),
]
LONG = "a" * 33  # a name of a release


@pytest.mark.parametrize(("chart", "changes", "sentence"), REFUSALS)
def test_what_cannot_work_is_refused_with_a_sentence(chart, changes, sentence) -> None:
    with pytest.raises(Refused, match=re.escape(sentence)):
        _rendered(chart, changes)


def test_a_long_release_needs_a_shorter_name() -> None:
    assert "at most 32 characters" in _refusal("customer", {}, LONG)
    assert _rendered("customer", {"global.instance": "crm"}, release=LONG) == _rendered("customer", {})


def test_every_sentence_of_refusal_is_tried() -> None:
    templates = "\n".join(path.read_text(encoding="utf-8") for path in CHARTS.glob("*/templates/*"))
    sentences = re.findall(r'fail (?:\(printf )?"([^"]+)"', templates)
    said = " ".join([_refusal("customer", {}, LONG), *(_refusal(chart, changes) for chart, changes, _ in REFUSALS)])
    untried = [text for text in sentences if not re.search(re.sub(r"%[svq]", ".*", re.escape(text)), said)]

    assert len(sentences) == templates.count("fail ")
    assert untried == []


def _refusal(chart, changes, release=RELEASE) -> str:
    try:
        _rendered(chart, changes, release=release)
    except Refused as refused:
        return str(refused)
    return ""


def _schema(chart: str) -> dict:
    return json.loads((CHARTS / chart / "values.schema.json").read_text(encoding="utf-8"))


def _levels(schema: dict, path: str = "") -> Iterator[str]:
    """The path of every object whose keys a chart knows."""
    if schema.get("properties"):
        yield path
        for key, below in schema["properties"].items():
            yield from _levels(below, f"{path}/{key}")


@pytest.mark.parametrize("chart", charts())
def test_an_unknown_key_is_refused_at_every_level(chart) -> None:
    levels = list(_levels(_schema(chart)))
    changes = {f"{level}/unknown".lstrip("/").replace("/", "."): 1 for level in levels}

    with pytest.raises(Refused) as refused:
        render(chart, changes=changes)

    said = set(re.findall(r"at '([^']*)': additional properties '?unknown", str(refused.value)))
    assert "" in said
    assert set(levels) - said == set()


@pytest.mark.parametrize(
    ("apis", "changes", "kind"),
    [
        ((KEDA,), {}, "ScaledObject"),
        ((), {}, "HorizontalPodAutoscaler"),
        ((KEDA,), {"global.keda.mode": "never"}, "HorizontalPodAutoscaler"),
        ((), {"global.keda.mode": "always"}, "ScaledObject"),
        ((KEDA,), {"roles.process.autoscaling.enabled": False}, None),
    ],
)
def test_what_works_a_queue_is_scaled_once_or_never(apis, changes, kind) -> None:
    scalers = of_kind(_rendered("import", changes, apis=apis), "HorizontalPodAutoscaler", "ScaledObject")

    assert [(one["kind"], name(one)) for one in scalers] == ([(kind, PROCESS)] if kind else [])


def test_keda_counts_what_waits_in_every_queue_of_the_service() -> None:
    scaled = find(_rendered("import", {"global.keda.natsAccount": "CRM"}, apis=[KEDA]), "ScaledObject", PROCESS)

    assert scaled["spec"]["minReplicaCount"] == 0
    assert [trigger["metadata"] for trigger in scaled["spec"]["triggers"]] == [
        {
            "natsServerMonitoringEndpoint": "nats.servers:8222",
            "account": "CRM",
            "stream": queue.stream,
            "consumer": queue.durable,
            "lagThreshold": "4",
            "activationLagThreshold": "0",
        }
        for queue in service_of("crm_import").queues
    ]


@pytest.mark.parametrize(
    ("changes", "budgets"),
    [
        ({}, {"serve"}),
        ({"roles.serve.replicas": 1}, set()),
        ({"roles.work.replicas": 2}, {"serve", "work"}),
        ({"roles.serve.autoscaling": {"enabled": True, "min": 1}}, set()),
        ({"roles.serve.replicas": 1, "roles.serve.autoscaling": {"enabled": True, "min": 2}}, {"serve"}),
    ],
)
def test_a_disruption_budget_needs_a_second_pod(changes, budgets) -> None:
    found = of_kind(_rendered("customer", changes), "PodDisruptionBudget")

    assert {name(one) for one in found} == {f"{RELEASE}-customer-{role}" for role in budgets}


def test_new_settings_make_new_pods_and_nothing_else_does() -> None:
    def checksums(changes) -> set[str]:
        deployments = of_kind(_rendered("customer", changes), "Deployment")
        return {_at(one, "spec.template.metadata.annotations")["checksum/config"] for one in deployments}

    plain, same = checksums({}), checksums({"roles.serve.replicas": 3})
    others = [checksums({"settings": {"LOG_LEVEL": "DEBUG"}}), checksums({"global.settings": {"HTTP_THREADS": "4"}})]

    assert len(plain) == 1
    assert same == plain
    assert all(len(other) == 1 and other != plain for other in others)


def test_a_migration_job_has_a_new_name_exactly_when_it_is_another() -> None:
    changes = [
        {},
        {"roles.serve.replicas": 3},
        {"settings": {"LOG_LEVEL": "DEBUG"}},
        {"global.image.tag": "1.1"},
        {"migrate.resources.limits.memory": "1Gi"},
        {"secretName": "mine"},
        {"global.scheduling.nodeSelector": {"pool": "crm"}},
    ]
    jobs = [next(of_kind(_rendered("customer", change), "Job")) for change in changes]

    assert len({name(job) for job in jobs}) == 5
    for left, right in itertools.combinations(jobs, 2):
        assert (name(left) == name(right)) == (left["spec"] == right["spec"]), (name(left), name(right))


def test_selectors_outlive_versions() -> None:
    def selectors(version) -> dict:
        deployments = of_kind(_rendered("customer", {"global.image.tag": version}), "Deployment", "Service")
        return {(one["kind"], name(one)): one["spec"]["selector"] for one in deployments}

    assert selectors("1.0") == selectors("2.0")


def test_the_first_administrator_is_read_by_identitys_migration_alone() -> None:
    objects = render("highsea", CHARTS / "highsea/ci/trial-values.yaml")
    secret = f"{RELEASE}-administrator"
    keys = {f"ADMINISTRATOR_{part}" for part in ("LOGIN", "NAME", "EMAIL", "PASSWORD")}
    given = next(of_kind([thing for thing in objects if name(thing) == secret], "Secret"))

    assert {*given.get("data", ()), *given.get("stringData", ())} == keys
    assert [str(pod).rpartition("-")[0] for pod in pods(objects) if secret in json.dumps(pod.template)] == [
        f"Job {RELEASE}-identity-migrate"
    ]
    assert [name(thing) for thing in objects if "ADMINISTRATOR_" in json.dumps(thing) and thing is not given] == []


@pytest.mark.parametrize("values", ["production-values.yaml"])
def test_with_servers_elsewhere_nothing_of_the_trial_is_there(values) -> None:
    objects = render("highsea", CHARTS / "highsea/ci" / values)

    assert [
        f"{one['kind']} {name(one)}" for one in of_kind(objects, "Secret", "StatefulSet", "PersistentVolumeClaim")
    ] == []
    assert {pod.service for pod in pods(objects)} == {"customer", "identity", "import", "notify", "pool"}
