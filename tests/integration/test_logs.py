"""What the running system writes: JSON lines, and nothing done for somebody is without its trace."""

import json
import re
from typing import Any

import pytest

from chassis.identifiers import new_id
from highsea_local.topology import SERVICES
from tests.support.whole import Whole

pytestmark = pytest.mark.system
# Said of the process itself and its connections; everything else is said of a request, a call, an event or a due task.
OF_THE_PROCESS = {
    "waiting",
    "projection_built",
    "relay_interrupted",
    "consumer_interrupted",
    "work_interrupted",
    "push_interrupted",
    "traces_not_exported",
    "traces_exported_again",
}
OWN_EVENT = re.compile(r"[a-z][a-z0-9_]*")  # what libraries say are sentences


def _lines(whole: Whole) -> list[dict[str, Any]]:
    return [
        {"process": (service.name, role), **json.loads(line)}
        for service in SERVICES
        for role in service.roles
        for line in whole.system.home.log(f"{service.name}-{role}").read_text(encoding="utf-8").splitlines()
    ]


def test_every_line_is_json_and_says_where_it_is_from(whole: Whole) -> None:
    lines = _lines(whole)

    assert lines
    assert [line for line in lines if not {"event", "level", "timestamp"} <= line.keys()] == []
    assert [line for line in lines if (line["service"], line["role"]) != line["process"]] == []


def test_everything_done_for_somebody_is_logged_with_its_trace(whole: Whole) -> None:
    pooled = whole.customers_in_pool([f"日志{new_id().hex}"])
    trace_id = new_id().hex
    headers = {"traceparent": f"00-{trace_id}-b7ad6b7169203331-00", "Idempotency-Key": str(new_id())}
    with whole.without("customer-serve"):
        whole.person("sales")._http.post("/assignments:claim", json={"customer_ids": pooled}, headers=headers)

    lines = _lines(whole)
    assert {line["event"] for line in lines if line.get("trace_id") == trace_id} == {"after_commit_failed"}
    own = [line for line in lines if OWN_EVENT.fullmatch(line["event"]) and line["event"] not in OF_THE_PROCESS]
    assert [line for line in own if not re.fullmatch(r"[0-9a-f]{32}", line.get("trace_id", ""))] == []
