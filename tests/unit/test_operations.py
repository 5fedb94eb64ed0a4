"""The operations guide: every command in it is executed or says why not, and its sums are right."""

import re
from typing import Any

import yaml

from chassis.roles import BULK_CONNECTIONS, OTHER_CONNECTIONS, WORK_CONNECTIONS
from chassis.settings import ServiceSettings
from tests.support.guide import GUIDE, blocks
from tests.support.repository import ROOT, SERVICE_PACKAGES, service_of, sources
from tests.support.services import NAMES

SHOWN = {"text", "promql", "sql"}
RESERVED = 3  # PostgreSQL's superuser_reserved_connections
COMMANDS = 2  # of each service, while they run
SERVE = ServiceSettings.model_fields["database_connections"].default
WORK, PROCESS, PUSH = WORK_CONNECTIONS + 1, OTHER_CONNECTIONS, OTHER_CONNECTIONS + 1
# Connections of a service's Deployments, in the order in which the guide counts their replicas.
ROLES = {
    **dict.fromkeys(NAMES, (SERVE, WORK)),
    "customer": (SERVE, WORK, BULK_CONNECTIONS),
    "import": (SERVE, WORK, PROCESS),
    "notify": (SERVE, WORK, PUSH),
}


def _tables(heading: str) -> list[dict[str, str]]:
    """The rows of every table below a heading, by column."""
    section = GUIDE.read_text(encoding="utf-8").partition(f"\n### {heading}\n")[2].partition("\n#")[0]
    rows = []
    for table in re.findall(r"(?:^\|.*\|\n)+", section, re.MULTILINE):
        head, _, *body = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in table.splitlines()]
        rows += [dict(zip(head, cells, strict=True)) for cells in body]
    return rows


def test_every_block_is_executed_or_says_why_not() -> None:
    others = [block for block in blocks() if not block.is_run and block.info not in SHOWN]

    assert [block.line for block in others if not re.fullmatch(r"sh skip: .+", block.info)] == []
    assert [block for block in blocks() if block.is_run]


def test_connections_of_a_process_are_those_in_the_code() -> None:
    rows = {row["process"]: row["connections"] for row in _tables("Connections") if "process" in row}

    assert rows == {
        "serve": f"{SERVE}",
        "work": f"{WORK}",
        "process": f"{PROCESS}",
        "push": f"{PUSH}",
        "bulk": f"{BULK_CONNECTIONS}",
        "migrate`, commands": f"{OTHER_CONNECTIONS}",
    }


def test_connections_are_opened_in_known_places_alone() -> None:
    """One pool for a process, and one connection on which the relay and the hub listen."""
    product = [path for path in sources() if "highsea_local" not in path.parts]
    opening = re.compile(r"create_engine\(|[^_]Connection\.connect\(|psycopg\.connect\(|AsyncConnection\.connect\(")

    found = {path.relative_to(ROOT).name for path in product if opening.search(path.read_text(encoding="utf-8"))}
    assert found == {"__init__.py", "relay.py", "hub.py"}


def test_sums_of_connections_are_right() -> None:
    rows = [row for row in _tables("Connections") if "seats" in row]

    assert [row["seats"] for row in rows] == ["10", "100", "1,000", "10,000"]
    for row in rows:
        needed = sum(
            (int(replicas) + 1) * connections
            for service, roles in ROLES.items()
            for replicas, connections in zip(row[service].split("/"), roles, strict=True)
        )
        assert int(row["sum"]) == needed, row
        assert int(row["max_connections"]) >= needed + COMMANDS * len(NAMES) + RESERVED, row


def test_links_within_the_guide_lead_to_a_heading() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}

    assert set(re.findall(r"\]\(#([^)]+)\)", text)) - anchors == set()


def test_metrics_and_settings_that_are_named_exist() -> None:
    text = GUIDE.read_text(encoding="utf-8").partition("\n## Alerts\n")[0]
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources())
    metrics = set(re.findall(r"`((?:crm|http|grpc|db)_[a-z_]+)", text))
    settings = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", text))

    assert len(metrics) > 8
    assert [name for name in sorted(metrics) if f'"{name}"' not in code] == []
    known = {name.upper() for package in SERVICE_PACKAGES for name in service_of(package).settings.model_fields}
    assert settings - known - {"CRM_DLQ", "AWS_ACCESS_KEY_ID"} == set()


def test_requests_and_limits_are_those_of_the_charts() -> None:
    def roles(path: str) -> Any:
        values = yaml.safe_load((ROOT / "deploy/helm" / path / "values.yaml").read_text(encoding="utf-8"))
        return values["exports"]["service"]["roles"] if path == "common" else values["roles"]

    charts = {"serve": "common", "work": "common", "process": "import", "push": "notify", "bulk": "customer"}
    for row in _tables("Requests and limits"):
        wanted = roles(charts[row["process"]])[row["process"]]["resources"]
        assert row["request"] == f"{wanted['requests']['cpu']}, {wanted['requests']['memory']}"
        assert row["limit"].startswith(wanted["limits"]["memory"])
