"""The dashboards are what Grafana shows and people understand."""

import json
import re
from itertools import combinations

import pytest

from deploy.helm.generate.dashboards import WIDTH
from tests.support.monitoring import dashboards, graphs

DASHBOARDS = dashboards()

each_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=list(DASHBOARDS))


def test_no_two_have_the_same_address() -> None:
    assert len({dashboard["uid"] for dashboard in DASHBOARDS.values()}) == len(DASHBOARDS)


@each_dashboard
def test_panels_have_an_id_of_their_own_and_lie_beside_each_other(dashboard) -> None:
    panels = dashboard["panels"]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert [panel["title"] for panel in panels if panel["gridPos"]["x"] + panel["gridPos"]["w"] > WIDTH] == []
    assert [(a["title"], b["title"]) for a, b in combinations(panels, 2) if _overlap(a["gridPos"], b["gridPos"])] == []


def _overlap(a: dict[str, int], b: dict[str, int]) -> bool:
    side_by_side = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
    one_below_the_other = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
    return not (side_by_side or one_below_the_other)


@each_dashboard
def test_panels_say_what_they_show_in_a_unit_and_both_languages(dashboard) -> None:
    shown = graphs(dashboard)

    assert len({graph["title"] for graph in shown}) == len(shown)
    for graph in shown:
        assert re.fullmatch(r"[A-Z0-9].+\.\n\n.*[\u4e00-\u9fff].*", graph["description"])
        assert graph["fieldConfig"]["defaults"]["unit"]
        assert [target["refId"] for target in graph["targets"]] == list("ABC"[: len(graph["targets"])])


@each_dashboard
def test_variables_that_are_used_are_those_one_can_choose(dashboard) -> None:
    used = set(re.findall(r"\$\{?([a-z]+)\b", json.dumps(dashboard["panels"])))

    assert used == {variable["name"] for variable in dashboard["templating"]["list"]}
