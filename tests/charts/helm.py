"""Charts as Helm renders them."""

import atexit
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.charts.tools import HELM4, ROOT

CHARTS = ROOT / "deploy/helm"
RELEASE, NAMESPACE = "crm", "sales"
KEDA = "keda.sh/v1alpha1"  # what a cluster that has KEDA offers
Object = dict[str, Any]


class Refused(Exception):
    """Helm's own words for why it renders nothing."""


@dataclass(frozen=True)
class Case:
    """A chart with one of its files of values."""

    chart: str
    values: Path

    def __str__(self) -> str:
        return f"{self.chart}-{self.values.name.removesuffix('-values.yaml')}"

    @property
    def choices(self) -> dict[str, Any]:
        """What its file says under `global`."""
        return (yaml.safe_load(self.values.read_text(encoding="utf-8")) or {}).get("global", {})

    @property
    def is_guarded(self) -> bool:
        """Whether it has NetworkPolicies, as it has unless it says otherwise."""
        return self.choices.get("networkPolicy", {}).get("enabled", True)

    @property
    def is_trial(self) -> bool:
        """Whether it brings its own servers."""
        return self.choices.get("trial", {}).get("enabled", False)

    def render(self, helm: Path = HELM4) -> Sequence[Object]:
        """Its objects."""
        return render(self.chart, self.values, helm=helm)


def charts() -> list[str]:
    """Every chart that can be installed: all but the library."""
    names = [path.parent.name for path in sorted(CHARTS.glob("*/Chart.yaml"))]
    return [name for name in names if metadata(name)["type"] != "library"]


def metadata(chart: str) -> dict[str, Any]:
    """Its Chart.yaml."""
    return yaml.safe_load((CHARTS / chart / "Chart.yaml").read_text(encoding="utf-8"))


def cases() -> list[Case]:
    """Every chart with every file of values that it says it supports."""
    return [Case(chart, values) for chart in charts() for values in sorted(CHARTS.glob(f"{chart}/ci/*-values.yaml"))]


@cache
def built() -> Path:
    """A copy of deploy/helm in which every chart holds its dependencies, as they are now."""
    folder = Path(tempfile.mkdtemp(prefix="highsea-charts-"))
    atexit.register(shutil.rmtree, folder)
    copy = folder / "helm"
    shutil.copytree(CHARTS, copy, ignore=shutil.ignore_patterns("charts", "Chart.lock"))
    for chart in sorted(charts(), key=lambda name: len(metadata(name)["dependencies"])):
        run(HELM4, "dependency", "build", str(copy / chart))
    return copy


def render(
    chart: str,
    *values: Path,
    changes: Mapping[str, Any] | None = None,
    apis: Sequence[str] = (),
    release: str = RELEASE,
    helm: Path = HELM4,
) -> Sequence[Object]:
    """The objects of a chart; each is rendered once per process. `changes` come after the files. Raises Refused."""
    return _render(chart, values, json.dumps(nested(changes or {})), tuple(apis), release, helm)


@cache
def _render(
    chart: str, values: tuple[Path, ...], changes: str, apis: tuple[str, ...], release: str, helm: Path
) -> list[Object]:
    options = [f"--namespace={NAMESPACE}", *(f"--values={path}" for path in values), "--values=-"]
    offers = [f"--api-versions={api}" for api in apis]
    text = run(helm, "template", release, str(built() / chart), *options, *offers, given=changes)
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


def find(objects: Sequence[Object], kind: str, called: str) -> Object:
    """The object of this kind and name."""
    found = [thing for thing in of_kind(objects, kind) if name(thing) == called]
    assert len(found) == 1, f"{len(found)} {kind} {called} among {[name(thing) for thing in of_kind(objects, kind)]}"
    return found[0]
