"""Containers get the settings and arguments that the code knows, and everything they cannot start without."""

from collections import defaultdict
from itertools import permutations

import pytest

from chassis.auth.tokens import ServiceTokens
from tests.charts.helm import CHARTS, NAMESPACE, RELEASE, cases, charts, find, metadata, of_kind, render
from tests.charts.pods import Pods, pods
from tests.support.repository import SERVICE_PACKAGES, service_of

SERVICES = {service_of(package).name: service_of(package) for package in SERVICE_PACKAGES}
ALWAYS = {"serve", "work", "migrate"}
each_case = pytest.mark.parametrize("case", cases(), ids=str)


def _contents(objects, kind) -> dict[str, set[str]]:
    """Name → keys of each ConfigMap or Secret that is rendered."""
    return {
        one["metadata"]["name"]: {*(one.get("data") or {}), *(one.get("stringData") or {})}
        for one in of_kind(objects, kind)
    }


def _ours(objects) -> list[Pods]:
    return [pod for pod in pods(objects) if pod.service in SERVICES]


def _variables(pod, objects) -> set[str]:
    """The names of its environment; what comes from a Secret that is not rendered is not among them."""
    found = {variable["name"] for container in pod.containers for variable in container.get("env", ())}
    for kind, field in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
        contents = _contents(objects, kind)
        for container in pod.containers:
            for source in container.get("envFrom", ()):
                found |= contents.get(source.get(field, {}).get("name"), set())
    return found


@each_case
def test_every_variable_is_a_setting_of_the_service(case) -> None:
    objects = case.render()
    unknown = {}
    for pod in _ours(objects):
        known = {name.upper() for name in SERVICES[pod.service].settings.model_fields}
        unknown[str(pod)] = _variables(pod, objects) - known - {f"{name}_FILE" for name in known}

    assert {pod: names for pod, names in unknown.items() if names} == {}


@each_case
def test_every_required_setting_is_given_or_expected_in_a_documented_secret(case) -> None:
    objects = case.render()
    secrets = _contents(objects, "Secret")
    lacking = []
    for pod in _ours(objects):
        fields = SERVICES[pod.service].settings.model_fields
        required = {name.upper() for name, field in fields.items() if field.is_required()}
        outside = {name for name, _ in pod.references("Secret")} - set(secrets)
        readme = (CHARTS / pod.service / "README.md").read_text(encoding="utf-8") if outside else ""
        missing = required - _variables(pod, objects)
        lacking += [f"{pod}: {name}" for name in sorted(missing) if f"`{name}`" not in readme]

    assert lacking == []


@each_case
def test_every_config_map_and_secret_that_is_needed_is_there(case) -> None:
    """Only the trial makes Secrets; otherwise they are existing ones, of the name in the values or of the service's."""
    objects = case.render()
    values = case.values.read_text(encoding="utf-8")
    wrong = []
    for pod in pods(objects):
        for kind in ("ConfigMap", "Secret"):
            contents = _contents(objects, kind)
            for name, key in pod.references(kind):
                named = name in values or name == f"{RELEASE}-{pod.service}"
                existing = kind == "Secret" and named and not case.is_trial
                if not existing and (name not in contents or (key and key not in contents[name])):
                    wrong.append(f"{pod}: {kind} {name} {key or ''}")

    assert wrong == []


@pytest.mark.parametrize("case", [case for case in cases() if case.chart != "trial"], ids=str)
def test_every_role_of_a_service_has_its_workload(case) -> None:
    arguments = defaultdict(list)
    for pod in _ours(case.render()):
        assert len(pod.containers) == 1, f"{pod} has more than its process"
        assert pod.containers[0]["args"] == [pod.role]
        arguments[pod.service].append(pod.role)

    assert arguments
    for service, roles in arguments.items():
        assert sorted(roles) == sorted({*ALWAYS, *SERVICES[service].roles})


def test_every_service_has_a_chart_and_the_umbrella_has_them_all() -> None:
    umbrella = {dependency["name"] for dependency in metadata("highsea")["dependencies"]}

    assert set(SERVICES) <= set(charts())
    assert set(SERVICES) <= umbrella


@each_case
def test_addresses_of_peers_are_headless_services_that_are_there(case) -> None:
    objects = case.render()
    headless = {
        f"dns:///{one['metadata']['name']}:{port['port']}"
        for one in of_kind(objects, "Service")
        if one["spec"].get("clusterIP") == "None"
        for port in one["spec"]["ports"]
    }
    addresses = {
        (one["metadata"]["name"], value)
        for one in of_kind(objects, "ConfigMap")
        for name, value in (one.get("data") or {}).items()
        if name.endswith("_GRPC")
    }

    if case.chart == "highsea":
        assert addresses
        assert {value for _, value in addresses} <= headless | {f"{one}.{NAMESPACE}" for one in headless}


def test_the_trials_environment_is_one_that_every_service_accepts() -> None:
    """Its generated keys too: each service believes each other's tokens."""
    objects = render("highsea", CHARTS / "highsea/ci/trial-values.yaml")
    tokens = {}
    for name, service in SERVICES.items():
        values = find(objects, "ConfigMap", f"{RELEASE}-{name}").get("data") or {}
        values = values | find(objects, "Secret", f"{RELEASE}-{name}")["stringData"]
        settings = service.settings(**{key.lower(): value for key, value in values.items()})
        tokens[name] = ServiceTokens(name, settings.service_key, settings.service_keys)

    for caller, callee in permutations(tokens, 2):
        assert tokens[callee].verify(tokens[caller].sign(callee)) == caller
