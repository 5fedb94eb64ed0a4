"""What holds for every object of every supported configuration, whoever wrote the template."""

from collections.abc import Iterator

import pytest

from tests.charts.helm import cases, charts, name, of_kind
from tests.charts.network import covering
from tests.charts.pods import LABEL, LASTING, Pods, pods, selects

each_case = pytest.mark.parametrize("case", cases(), ids=str)
SELECTOR = {f"{LABEL}{part}" for part in ("name", "instance", "component")}
LABELS = SELECTOR | {f"{LABEL}{part}" for part in ("part-of", "managed-by", "version")}
HOST = ("hostNetwork", "hostPID", "hostIPC")


def test_every_chart_has_supported_configurations() -> None:
    assert charts()
    assert {case.chart for case in cases()} == set(charts())


@each_case
def test_pods_can_do_little_harm(case) -> None:
    assert [f"{pod}: {problem}" for pod in pods(case.render()) for problem in _harm(pod)] == []


def _harm(pod: Pods) -> Iterator[str]:
    yield from (f"shares {field}" for field in HOST if pod.spec.get(field))
    yield from (
        f"volume {volume['name']} is the node's" for volume in pod.spec.get("volumes", ()) if "hostPath" in volume
    )
    if pod.spec.get("automountServiceAccountToken") is not False:
        yield "gets a token of the cluster"
    for container in pod.containers:
        context = {**pod.spec.get("securityContext", {}), **container.get("securityContext", {})}
        needed = {
            "not root": context.get("runAsNonRoot") is True and context.get("runAsUser") != 0,
            "not privileged": not context.get("privileged"),
            "never more rights": context.get("allowPrivilegeEscalation") is False,
            "read-only root": context.get("readOnlyRootFilesystem") is True,
            "no capability": context.get("capabilities") == {"drop": ["ALL"]},
            "seccomp": context.get("seccompProfile") == {"type": "RuntimeDefault"},
        }
        yield from (f"{container['name']} is not held to: {what}" for what, holds in needed.items() if not holds)


@each_case
def test_images_are_named_exactly(case) -> None:
    images = {container["image"] for pod in pods(case.render()) for container in pod.containers}

    assert images
    assert [image for image in images if not _is_exact(image)] == []


def _is_exact(image: str) -> bool:
    tag = image.rpartition("/")[2].partition(":")[2]
    return "@sha256:" in image or tag not in {"", "latest"}


@each_case
def test_containers_say_what_they_need_and_are_watched(case) -> None:
    wrong = []
    for pod in pods(case.render()):
        for container in pod.containers:
            resources = container.get("resources", {})
            asked = {f"requests.{key}" for key in resources.get("requests", {})}
            asked |= {f"limits.{key}" for key in resources.get("limits", {})}
            wrong += [f"{pod} {container['name']}: no {need}" for need in _NEEDS - asked]
        if pod.is_lasting:
            wrong += [
                f"{pod} {container['name']}: no {probe}"
                for container in pod.spec["containers"]
                for probe in ("livenessProbe", "readinessProbe")
                if probe not in container
            ]

    assert wrong == []


_NEEDS = {"requests.cpu", "requests.memory", "limits.memory"}


@each_case
def test_selectors_are_stable_and_select_their_own_pods_alone(case) -> None:
    objects = case.render()
    workloads = list(of_kind(objects, *LASTING))
    every = [Pods(workload) for workload in workloads]

    assert [name(one) for one in workloads if set(one["spec"]["selector"]["matchLabels"]) != SELECTOR] == []
    for workload, own in zip(workloads, every, strict=True):
        assert [str(pod) for pod in every if selects(workload["spec"]["selector"], pod.labels)] == [str(own)]


@each_case
def test_every_object_is_labelled_as_ours(case) -> None:
    lacking = {
        f"{one['kind']} {name(one)}": sorted(LABELS - {f"{LABEL}component"} - set(one["metadata"].get("labels", {})))
        for one in case.render()
    } | {str(pod): sorted(LABELS - set(pod.labels)) for pod in pods(case.render())}

    assert {where: labels for where, labels in lacking.items() if labels} == {}


@each_case
def test_no_two_objects_have_one_name(case) -> None:
    names = [(one["apiVersion"].partition("/")[0], one["kind"], name(one)) for one in case.render()]

    assert sorted(names) == sorted(set(names))


@each_case
def test_nothing_is_a_hook(case) -> None:
    hooks = [
        f"{one['kind']} {name(one)}"
        for one in case.render()
        if any(key.startswith("helm.sh/hook") for key in one["metadata"].get("annotations") or {})
    ]

    assert hooks == []


@each_case
def test_services_lead_to_ports_that_pods_have(case) -> None:
    objects = case.render()
    lasting = [pod for pod in pods(objects) if pod.is_lasting]
    wrong = []
    for service in of_kind(objects, "Service"):
        behind = [pod for pod in lasting if selects(service["spec"]["selector"], pod.labels)]
        wrong += [] if behind else [f"{name(service)} selects nothing"]
        wrong += [
            f"{name(service)}: {pod} has no port {port.get('targetPort', port['port'])}"
            for pod in behind
            for port in service["spec"]["ports"]
            if pod.port(port.get("targetPort", port["port"])) is None
        ]

    assert wrong == []


@each_case
def test_whatever_points_at_a_workload_or_service_points_at_one(case) -> None:
    objects = case.render()
    there = {(one["kind"], name(one)) for one in objects}
    scaled = [
        (one["spec"]["scaleTargetRef"].get("kind", "Deployment"), one["spec"]["scaleTargetRef"]["name"])
        for one in of_kind(objects, "HorizontalPodAutoscaler", "ScaledObject")
    ]
    accounts = {
        ("ServiceAccount", pod.spec["serviceAccountName"]) for pod in pods(objects) if "serviceAccountName" in pod.spec
    }

    assert (set(scaled) | accounts) - there == set()
    assert len(set(scaled)) == len(scaled), "scaled twice"
    for budget in of_kind(objects, "PodDisruptionBudget"):
        assert len([pod for pod in pods(objects) if selects(budget["spec"]["selector"], pod.labels)]) == 1
    for monitor in of_kind(objects, "ServiceMonitor"):
        chosen = [
            one
            for one in of_kind(objects, "Service")
            if selects(monitor["spec"]["selector"], one["metadata"]["labels"])
        ]
        ports = {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]}
        assert chosen, name(monitor)
        assert all(ports <= {port["name"] for port in service["spec"]["ports"]} for service in chosen), name(monitor)


@pytest.mark.parametrize("case", [case for case in cases() if case.is_guarded], ids=str)
def test_every_pod_is_behind_policies_in_both_directions(case) -> None:
    objects = case.render()
    open_ = [
        f"{pod} {direction}"
        for pod in pods(objects)
        for direction in ("Ingress", "Egress")
        if not covering(objects, pod, direction)
    ]

    assert open_ == []


@each_case
def test_service_accounts_hand_out_no_token(case) -> None:
    accounts = list(of_kind(case.render(), "ServiceAccount"))

    assert accounts
    assert [name(one) for one in accounts if one.get("automountServiceAccountToken") is not False] == []
