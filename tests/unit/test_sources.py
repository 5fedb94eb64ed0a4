"""Rules of the house that no linter knows."""

import ast
import re

import pytest

from tests.support.repository import ROOT, calls, literal, name_of, sources, tree_of

LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
LOGGERS = {"log", "logger", "_log"}
READS_ENVIRONMENT = {
    # What their child processes inherit.
    "services/customer/src/crm_customer/files/inspecting.py",
    "services/import/src/crm_import/reading/process.py",
}


def _product() -> list:
    return [path for path in sources() if "deploy" not in path.parts]


def test_log_events_are_constant_names_so_that_they_can_be_searched_and_hold_no_data() -> None:
    wrong = []
    for path in sources():
        for call in calls(path):
            function = call.func
            if not isinstance(function, ast.Attribute) or name_of(function.value) not in LOGGERS:
                continue
            event = literal(call.args[0]) if function.attr in LEVELS and call.args else "none"
            if event is None or not re.fullmatch(r"[a-z][a-z0-9_]*", event):
                wrong.append(f"{path.relative_to(ROOT)}:{call.lineno}")

    assert wrong == []


def test_the_environment_is_read_by_settings_alone() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in _product()
        if path.name != "settings.py" and str(path.relative_to(ROOT)) not in READS_ENVIRONMENT
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"} and name_of(node.value) == "os"
    ]

    assert wrong == []


def test_the_clock_is_asked_in_one_place() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in _product()
        if path.name != "clock.py"
        for call in calls(path)
        if isinstance(call.func, ast.Attribute)
        and (name_of(call.func.value), call.func.attr)
        in {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today")}
    ]

    assert wrong == []


def test_the_database_is_never_asked_what_day_it_is() -> None:
    pattern = re.compile(r"\b(current_date|localtimestamp)\b", re.IGNORECASE)

    assert [
        str(path.relative_to(ROOT)) for path in _product() if pattern.search(path.read_text(encoding="utf-8"))
    ] == []


MIGRATIONS = [path for path in sources() if path.parent.name == "migrations" and path.name != "__init__.py"]


@pytest.mark.parametrize("path", MIGRATIONS, ids=lambda path: path.stem)
def test_a_migration_is_named_by_date_and_act_and_stands_alone(path) -> None:
    values = {
        node.targets[0].id: node.value
        for node in tree_of(path).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    branch = path.parts[path.parts.index("src") + 1].removeprefix("crm_")
    imported = {
        name
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }

    assert re.fullmatch(r"\d{8}_\d{4}_[a-z]+(_[a-z0-9]+)+\.py", path.name)
    assert re.fullmatch(rf"{branch}_\d{{4}}", literal(values["revision"]) or "")
    assert {name for name in imported if name.split(".")[0] not in {"typing", "sqlalchemy", "alembic"}} == set()
