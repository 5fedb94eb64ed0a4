"""The guide's section on alerts says what to do for each, and what it names exists."""

import re

from tests.support.monitoring import alert_sections, rules
from tests.support.repository import SERVICE_PACKAGES, service_of, sources


def test_each_alert_has_its_section_and_each_section_its_alert() -> None:
    names = [rule["alert"] for rule in rules() if "alert" in rule]

    assert re.findall(r"^### (.+)$", alert_sections(), re.MULTILINE) == list(dict.fromkeys(names))
    assert set(re.findall(r"Highsea[A-Z]\w+", alert_sections())) == set(names)


def test_each_task_that_can_fail_is_in_the_table_of_tasks() -> None:
    table = alert_sections().partition("### HighseaDueWorkFailing")[2].partition("###")[0]
    patterns = [name.replace("…", ".+") for name in re.findall(r"`([a-z…-]+)`", table)]
    services = [service_of(package) for package in SERVICE_PACKAGES]
    tasks = {task.name for service in services for task in service.all_due()}
    tasks |= {f"check-{projection.name}" for service in services for projection in service.projections}

    assert {task for task in tasks if not any(re.fullmatch(pattern, task) for pattern in patterns)} == set()
    assert {pattern for pattern in patterns if not any(re.fullmatch(pattern, task) for task in tasks)} == {"work"}


def test_names_of_log_events_and_metrics_are_those_of_the_code() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources())
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", alert_sections())) - {"trace_id", "pg_stat_activity"}

    assert len(named) > 10
    assert {name for name in named if f'"{name}"' not in code} == set()
