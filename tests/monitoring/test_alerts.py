"""Alerts fire when they should and not otherwise. The cases beside this are promtool's: `promtool test rules *.yaml`."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.monitoring import GUIDE, queries, rules
from tests.support.repository import ROOT

CASES = sorted(Path(__file__).parent.glob("*.yaml"))
ALERTS = [rule for rule in rules() if "alert" in rule]


def promtool(*arguments: object) -> None:
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def expectations() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """(alert, those that fire) at each moment a case looks at."""
    for path in CASES:
        for case in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            for moment in case["alert_rule_test"]:
                yield moment["alertname"], moment["exp_alerts"]


@pytest.mark.parametrize("cases", CASES, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should(cases: Path) -> None:
    promtool("test", "rules", cases)


def test_each_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    names = {alert["alert"] for alert in ALERTS}

    assert {name for name, firing in expectations() if firing} == names
    assert {name for name, firing in expectations() if not firing} == names


def test_each_severity_of_an_alert_has_a_case_that_fires() -> None:
    fired = {(name, one["exp_labels"]["severity"]) for name, firing in expectations() for one in firing}
    fixed = {(alert["alert"], alert["labels"]["severity"]) for alert in ALERTS}

    assert {(name, severity) for name, severity in fixed if "{{" not in severity} <= fired
    assert {severity for _, severity in fired} == {"critical", "warning"}


def test_each_alert_says_what_is_the_matter_and_where_to_read_what_to_do() -> None:
    for alert in ALERTS:
        assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
        assert alert["annotations"]["runbook_url"] == f"{GUIDE.relative_to(ROOT)}#{alert['alert'].lower()}"


def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    path = tmp_path / "queries.yaml"
    group = {"name": "queries", "rules": [{"record": "query", "expr": query} for query in queries()]}
    path.write_text(yaml.safe_dump({"groups": [group]}), encoding="utf-8")

    promtool("check", "rules", "--lint=none", path)
