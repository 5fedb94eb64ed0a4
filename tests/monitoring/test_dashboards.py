"""The dashboards are what Grafana and Prometheus understand, and people too."""

import json
import subprocess
from itertools import combinations, pairwise
from pathlib import Path

import pytest
import yaml

from deploy.helm.generate.dashboards import FOLDER, WIDTH, files
from tests.support.queries import dashboard_queries

DASHBOARDS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}

each_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=list(DASHBOARDS))


def test_the_files_are_what_the_generator_writes() -> None:
    assert {path: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()} == files(), "run make charts"


def test_no_two_have_the_same_address() -> None:
    assert len({dashboard["uid"] for dashboard in DASHBOARDS.values()}) == len(DASHBOARDS)


@each_dashboard
def test_panels_have_an_id_of_their_own_and_lie_beside_each_other(dashboard) -> None:
    panels = dashboard["panels"]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(at["x"] + at["w"] <= WIDTH for at in (panel["gridPos"] for panel in panels))
    assert [(a["title"], b["title"]) for a, b in combinations(panels, 2) if _overlap(a["gridPos"], b["gridPos"])] == []


def _overlap(a: dict[str, int], b: dict[str, int]) -> bool:
    return (
        a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]
    )


@each_dashboard
def test_panels_say_what_they_show_in_units_and_both_languages(dashboard) -> None:
    graphs = [panel for panel in dashboard["panels"] if panel["type"] != "row"]

    assert len({graph["title"] for graph in graphs}) == len(graphs)
    for graph in graphs:
        english, _, chinese = graph["description"].partition("\n\n")
        assert english.endswith(".")
        assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese), graph["title"]
        assert graph["fieldConfig"]["defaults"]["unit"]


@each_dashboard
def test_variables_that_are_used_are_declared_in_order(dashboard) -> None:
    names = [variable["name"] for variable in dashboard["templating"]["list"]]
    text = json.dumps(dashboard["panels"])

    assert {
        name for name in ("datasource", "namespace", "service", "role") if f"${name}" in text or f"${{{name}}}" in text
    } == set(names)
    assert all(f"${later}" not in json.dumps(earlier) for earlier, later in pairwise(names))


def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    rules = [{"record": "panel", "expr": query} for query in dashboard_queries()]
    path = tmp_path / "queries.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}), encoding="utf-8")

    done = subprocess.run(
        ["promtool", "check", "rules", "--lint=none", path], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
