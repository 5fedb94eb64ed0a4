"""Pods and what they refer to, whichever kind of workload makes them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.charts.helm import Object, name, of_kind

LASTING = ("Deployment", "StatefulSet", "DaemonSet")
LABEL = "app.kubernetes.io/"


@dataclass(frozen=True)
class Pods:
    """The Pods of one workload."""

    workload: Object

    def __str__(self) -> str:
        return f"{self.workload['kind']} {name(self.workload)}"

    @property
    def template(self) -> dict[str, Any]:
        spec = self.workload["spec"]
        return spec["jobTemplate"]["spec"]["template"] if self.workload["kind"] == "CronJob" else spec["template"]

    @property
    def spec(self) -> dict[str, Any]:
        return self.template["spec"]

    @property
    def labels(self) -> Mapping[str, str]:
        return self.template["metadata"]["labels"]

    @property
    def is_lasting(self) -> bool:
        """Whether they run until somebody stops them."""
        return self.workload["kind"] in LASTING

    @property
    def service(self) -> str:
        """`customer` for those of highsea-customer; also the name of a trial server."""
        return self.labels[f"{LABEL}name"].removeprefix("highsea-")

    @property
    def role(self) -> str:
        return self.labels[f"{LABEL}component"]

    @property
    def containers(self) -> Sequence[dict[str, Any]]:
        """All of them, those that run first included."""
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]

    def port(self, wanted: int | str) -> int | None:
        """The number of a port they listen on, by name or number."""
        for container in self.spec["containers"]:
            for port in container.get("ports", ()):
                if wanted in (port["containerPort"], port.get("name")):
                    return port["containerPort"]
        return None

    def references(self, kind: str) -> Iterator[tuple[str, str | None]]:
        """(name, key or None for the whole) of each Secret or ConfigMap they cannot start without."""
        field = {"Secret": "secret", "ConfigMap": "configMap"}[kind]
        for container in self.containers:
            for source in container.get("envFrom", ()):
                yield from _reference(source.get(f"{field}Ref"))
            for variable in container.get("env", ()):
                yield from _reference(variable.get("valueFrom", {}).get(f"{field}KeyRef"))
        for volume in self.spec.get("volumes", ()):
            for source in [volume, *volume.get("projected", {}).get("sources", ())]:
                yield from _volume(source.get(field), source is volume)
        if kind == "Secret":
            yield from ((entry["name"], None) for entry in self.spec.get("imagePullSecrets", ()))


def _reference(found: dict[str, Any] | None) -> Iterator[tuple[str, str | None]]:
    if found and not found.get("optional"):
        yield found["name"], found.get("key")


def _volume(found: dict[str, Any] | None, is_direct: bool) -> Iterator[tuple[str, str | None]]:
    if found and not found.get("optional"):
        called = found["secretName"] if is_direct and "secretName" in found else found["name"]
        yield called, None
        yield from ((called, item["key"]) for item in found.get("items", ()))


def pods(objects: Sequence[Object]) -> list[Pods]:
    """The Pods of every workload."""
    return [Pods(one) for one in of_kind(objects, *LASTING, "Job", "CronJob", "Pod")]


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector, or a Service's plain map, matches."""
    if not {"matchLabels", "matchExpressions"} & set(selector):
        return all(labels.get(key) == value for key, value in selector.items())
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        _holds(expression, labels) for expression in selector.get("matchExpressions", ())
    )


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, wanted = labels.get(expression["key"]), expression.get("values", ())
    match expression["operator"]:
        case "In":
            return value in wanted
        case "NotIn":
            return value not in wanted
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    raise AssertionError(expression)
