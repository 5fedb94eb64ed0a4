"""What alerts and dashboards ask Prometheus for."""

import json
import re
from dataclasses import dataclass

import yaml

from tests.support.repository import ROOT

CHART = ROOT / "deploy/helm/highsea"
_WORDS = {"and", "or", "unless", "offset"}
_GROUPING = re.compile(r"\b(?:by|on)\s*\(([^)]*)\)")
# A name that is no function and no unit of a duration, and what stands in braces behind it.
_SELECTOR = re.compile(r"(?<![\w:])([a-zA-Z_:][\w:]*+)(?!\s*\()(?:\s*\{([^}]*)\})?")
_CONDITION = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')


@dataclass(frozen=True)
class Selector:
    """A metric that is asked for; `conditions` are pairs of a label and the values or patterns named for it."""

    metric: str
    conditions: tuple[tuple[str, tuple[str, ...]], ...]


def selectors(query: str) -> list[Selector]:
    """The metrics a query asks for."""
    return [
        Selector(name, tuple((label, tuple(value.split("|"))) for label, _, value in _CONDITION.findall(braces)))
        for name, braces in _SELECTOR.findall(_GROUPING.sub("", query))
        if name not in _WORDS
    ]


def grouped_by(query: str) -> set[str]:
    """The labels that a query puts together by."""
    return {label.strip() for labels in _GROUPING.findall(query) for label in labels.split(",")}


def alert_queries() -> list[str]:
    """The expressions of all rules."""
    groups = yaml.safe_load((CHART / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


def recorded() -> set[str]:
    """Metrics that the rules make themselves."""
    groups = yaml.safe_load((CHART / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    return {rule["record"] for group in groups for rule in group["rules"] if "record" in rule}


def dashboard_queries() -> list[str]:
    """The expressions of all panels, over a fixed range in place of Grafana's."""
    return [
        target["expr"].replace("$__rate_interval", "5m")
        for path in sorted(CHART.glob("dashboards/*.json"))
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]
        for target in panel.get("targets", ())
    ]
