"""Charts as Helm renders them."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.charts.tools import HELM3, HELM4, ROOT

CHARTS = ROOT / "deploy/helm"
RELEASE, NAMESPACE = "crm", "sales"
# What a cluster with everything installed offers beside Kubernetes itself.
ALL_APIS = (
    "keda.sh/v1alpha1",
    "gateway.networking.k8s.io/v1",
    "monitoring.coreos.com/v1",
)
Object = dict[str, Any]


class Refused(Exception):
    """Helm's own words for why it renders nothing."""


@dataclass(frozen=True)
class Case:
    """A chart with one of its files of values."""

    chart: Path
    values: Path

    def __str__(self) -> str:
        return f"{self.chart.name}-{self.values.name.removesuffix('-values.yaml')}"

    def render(self, helm: Path = HELM4) -> Sequence[Object]:
        """Its objects, on a cluster that has everything."""
        return render(self.chart, self.values, helm=helm)


def charts() -> list[Path]:
    """Every chart that can be installed: all but the library."""
    folders = [path.parent for path in sorted(CHARTS.glob("*/Chart.yaml"))]
    return [folder for folder in folders if metadata(folder).get("type") != "library"]


def metadata(chart: Path) -> dict[str, Any]:
    """Its Chart.yaml."""
    return yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))


def cases() -> list[Case]:
    """Every chart with every file of values that it says it supports."""
    return [Case(chart, values) for chart in charts() for values in sorted(chart.glob("ci/*-values.yaml"))]


def render(
    chart: Path,
    *values: Path,
    changes: Mapping[str, Any] | None = None,
    apis: Sequence[str] = ALL_APIS,
    helm: Path = HELM4,
) -> Sequence[Object]:
    """The objects of a chart, each kind of call once per process. `changes` come after the files. Raises Refused."""
    return _render(chart, values, json.dumps(nested(changes or {})), tuple(apis), helm)


@cache
def _render(chart: Path, values: tuple[Path, ...], changes: str, apis: tuple[str, ...], helm: Path) -> list[Object]:
    files = [f"--values={path}" for path in values]
    offers = [f"--api-versions={api}" for api in apis]
    text = run(
        helm, "template", RELEASE, str(chart), f"--namespace={NAMESPACE}", *files, "--values=-", *offers, given=changes
    )
    return [document for document in yaml.load_all(text, yaml.CSafeLoader) if document]


def run(helm: Path, *arguments: str, given: str = "") -> str:
    """What a command prints. Raises Refused."""
    done = subprocess.run([helm, *arguments], input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(done.stdout + done.stderr)
    return done.stdout


def nested(changes: Mapping[str, Any]) -> dict[str, Any]:
    """`{"a.b": 1}` as `{"a": {"b": 1}}`; what is nested already stays."""
    result: dict[str, Any] = {}
    for path, value in changes.items():
        *parents, last = path.split(".")
        place = result
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return result


def of_kind(objects: Sequence[Object], *kinds: str) -> Iterator[Object]:
    """The objects of these kinds."""
    return (one for one in objects if one["kind"] in kinds)


def name(thing: Object) -> str:
    """The name of an object."""
    return thing["metadata"]["name"]


def one(objects: Sequence[Object], kind: str, called: str) -> Object:
    """The object of this kind and name."""
    found = [thing for thing in of_kind(objects, kind) if name(thing) == called]
    assert len(found) == 1, f"{len(found)} {kind} {called} among {[name(thing) for thing in of_kind(objects, kind)]}"
    return found[0]


__all__ = ["HELM3", "HELM4"]
