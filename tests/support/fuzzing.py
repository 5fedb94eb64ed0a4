"""Requests made out of a service's own OpenAPI document, valid ones and others: no route may break by them."""

import os
from collections.abc import Mapping
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from tests.support.services import OpenService

# Requests for each route: always the same ones. FUZZ_EXAMPLES=500 makes more.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "10"))


def broken_routes(
    opened: OpenService, headers: Mapping[str, str], known: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Routes that answered 500 or above, each with the first request that did it. 503 is none: others are away here.

    `known`: ids of records there are, by the name of the parameter of the path; half of the requests are about them.
    """
    app = opened.client.application
    schema = schemathesis.openapi.from_wsgi(f"/api/v1/{opened.service.name}/openapi.json", app)
    broken: dict[str, str] = {}
    for operation in (found.ok() for found in schema.get_all_operations()):
        _ask(operation, headers, known or {}, broken)
    return broken


def _ask(operation: Any, headers: Mapping[str, str], known: Mapping[str, str], broken: dict[str, str]) -> None:
    asked = 0

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        nonlocal asked
        asked += 1
        if asked % 2:
            case.path_parameters |= {name: known[name] for name in case.path_parameters if name in known}
        reply = case.call(headers={**headers, "If-Match": f'"{asked % 3}"'})
        if reply.status_code >= 500 and reply.status_code != 503:
            broken.setdefault(f"{case.method} {case.path}", f"{reply.text} {case.as_curl_command()}")

    ask()
