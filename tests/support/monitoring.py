"""What the rules, the dashboards and the guide say, and which metrics they ask for."""

import json
import re
from dataclasses import dataclass
from typing import Any

import yaml

from tests.support.repository import ROOT

CHART = ROOT / "deploy/helm/highsea"
GUIDE = ROOT / "docs/operations.md"
_WORDS = {"and", "or", "unless", "offset"}
_GROUPING = re.compile(r"\b(?:by|on)\s*\(([^)]*)\)")
# A name that is no function and no unit of a duration, and what stands in braces behind it.
_SELECTOR = re.compile(r"(?<![\w:])([a-zA-Z_:][\w:]*+)(?!\s*\()(?:\s*\{([^}]*)\})?")
_CONDITION = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')


@dataclass(frozen=True)
class Selector:
    """A metric that is asked for; `conditions` are pairs of a label and the values or patterns named for it."""

    metric: str
    conditions: tuple[tuple[str, tuple[str, ...]], ...]


def selectors(query: str) -> list[Selector]:
    """The metrics a query asks for."""
    return [
        Selector(name, tuple((label, tuple(value.split("|"))) for label, value in _CONDITION.findall(braces)))
        for name, braces in _SELECTOR.findall(_GROUPING.sub("", query))
        if name not in _WORDS
    ]


def grouped_by(query: str) -> set[str]:
    """The labels that a query puts numbers together by."""
    return {label.strip() for labels in _GROUPING.findall(query) for label in labels.split(",")}


def rules() -> list[dict[str, Any]]:
    """Every rule: those that record and those that alert."""
    groups = yaml.safe_load((CHART / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboards() -> dict[str, dict[str, Any]]:
    """Every dashboard by its file's name."""
    paths = sorted(CHART.glob("dashboards/*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def graphs(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """The panels of a dashboard that show something: all but the titles of rows."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def alert_sections() -> str:
    """What the guide says below `## Alerts`."""
    _, _, text = GUIDE.read_text(encoding="utf-8").partition("\n## Alerts\n")
    return text.partition("\n## ")[0]


def queries() -> list[str]:
    """Every query: of rules, of panels (over a fixed range in place of Grafana's), and of the guide, a line each."""
    shown = [target["expr"] for one in dashboards().values() for graph in graphs(one) for target in graph["targets"]]
    blocks = re.findall(r"^```promql\n(.*?)^```$", alert_sections(), re.MULTILINE | re.DOTALL)
    return [
        *(rule["expr"] for rule in rules()),
        *(expression.replace("$__rate_interval", "5m") for expression in shown),
        *(line for block in blocks for line in block.splitlines()),
    ]
