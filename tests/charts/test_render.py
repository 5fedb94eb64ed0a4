"""Every chart renders what Kubernetes takes, with every file of values it supports, in Helm 4 and in Helm 3."""

import json

import pytest
import yaml

from tests.charts import snapshot
from tests.charts.helm import CHARTS, built, cases, of_kind, render, run
from tests.charts.schemas import problems
from tests.charts.tools import HELM3, HELM4

each_case = pytest.mark.parametrize("case", cases(), ids=str)


@each_case
def test_helm_has_nothing_to_criticise(case) -> None:
    run(HELM4, "lint", "--strict", "--quiet", str(built() / case.chart), f"--values={case.values}")


def test_every_object_is_valid() -> None:
    assert problems(one for case in cases() for one in case.render()) == []


@each_case
def test_helm_3_renders_the_same(case) -> None:
    assert snapshot.fixed(case.render(HELM3)) == snapshot.fixed(case.render())


def test_the_trial_renders_what_was_reviewed() -> None:
    assert snapshot.text() == snapshot.FILE.read_text(encoding="utf-8"), snapshot.REMEDY


def test_alerts_and_dashboards_are_installed_as_they_are_tested() -> None:
    umbrella, guide = CHARTS / "highsea", "https://guide.example.com/operations"
    values = umbrella / "ci/production-values.yaml"
    objects = render("highsea", values, changes={"global.monitoring.runbookUrl": guide})
    alerts = (umbrella / "alerts.yaml").read_text(encoding="utf-8").replace("docs/operations.md#", f"{guide}#")
    dashboards = {path.name: path.read_text(encoding="utf-8") for path in umbrella.glob("dashboards/*.json")}
    installed = {
        file: content
        for one in of_kind(objects, "ConfigMap")
        if "grafana_dashboard" in one["metadata"]["labels"]
        for file, content in one["data"].items()
    }

    assert guide in alerts
    assert [one["spec"] for one in of_kind(objects, "PrometheusRule")] == [yaml.safe_load(alerts)]
    assert dashboards
    assert {file: json.loads(text) for file, text in installed.items()} == {
        file: json.loads(text) for file, text in dashboards.items()
    }
