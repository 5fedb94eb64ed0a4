"""The alerts fire when they should and not otherwise, and each leads to what to do. promtool reads the cases beside this."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.repository import ROOT

HERE = Path(__file__).parent
RULES = ROOT / "deploy/helm/highsea/alerts.yaml"
GUIDE = ROOT / "docs/operations.md"
CASES = sorted(HERE.glob("*.yaml"))


def alerts() -> dict[str, list[dict]]:
    """Name → the rules of that name: one for each severity."""
    found: dict[str, list[dict]] = {}
    for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                found.setdefault(rule["alert"], []).append(rule)
    return found


def expectations() -> Iterator[tuple[str, list[dict]]]:
    """(alert, those that fire) at each moment a case looks at."""
    for path in CASES:
        for case in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            for moment in case["alert_rule_test"]:
                yield moment["alertname"], moment["exp_alerts"]


def sections() -> list[str]:
    """Headings below `## Alerts`."""
    _, _, text = GUIDE.read_text(encoding="utf-8").partition("\n## Alerts\n")
    return re.findall(r"^### (.+)$", text.partition("\n## ")[0], re.MULTILINE)


@pytest.mark.parametrize("cases", CASES, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should(cases: Path) -> None:
    done = subprocess.run(["promtool", "test", "rules", cases], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    fires = {(name, alert["exp_labels"]["severity"]) for name, firing in expectations() for alert in firing}
    quiet = {name for name, firing in expectations() if not firing}

    assert {name for name, _ in fires} == quiet == set(alerts())
    assert fires >= {(name, rule["labels"]["severity"]) for name, rules in alerts().items() for rule in rules
                     if "{{" not in rule["labels"]["severity"]}  # fmt: skip


def test_each_alert_says_what_is_the_matter_and_leads_to_its_section() -> None:
    for name, rules in alerts().items():
        for rule in rules:
            assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
            assert rule["annotations"]["runbook_url"] == f"{GUIDE.relative_to(ROOT)}#{name.lower()}"

    assert sections() == list(alerts())
