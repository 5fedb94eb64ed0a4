"""One claim, one picture: HTTP, gRPC, NATS and consumers in one trace, seen by a collector."""

import secrets
from collections import defaultdict
from contextlib import suppress
from typing import Any

import pytest

from chassis.identifiers import new_id
from highsea_local.demo.gateway import until
from tests.support.collector import Collector, Step
from tests.support.whole import Whole

pytestmark = pytest.mark.system
APPLY = "crm.customer.v1.CustomerService/ApplyAssignments"
Tree = dict[tuple[str, str, str, str], Any]


def _published(whole: Whole) -> bool:
    return all(
        whole.rows(name, "SELECT count(*) AS left FROM outbox WHERE published_at IS NULL")[0]["left"] == 0
        for name in ("customer", "pool", "identity", "import")
    )


def _tree(steps: list[Step], parent_id: str) -> Tree:
    """The steps below one, as they hang together."""
    below: dict[str, list[Step]] = defaultdict(list)
    for step in steps:
        below[step.parent_id].append(step)

    def of(id_: str) -> Tree:
        return {(*step.process, step.kind, step.name): of(step.span_id) for step in below[id_]}

    return of(parent_id)


def _sampled(whole: Whole, path: str, body: dict[str, Any], status: int) -> tuple[str, str, Any]:
    """POST as somebody whose trace is recorded. Returns the trace, the caller's step, and the answer."""
    trace_id, span_id = secrets.token_hex(16), secrets.token_hex(8)
    headers = {"traceparent": f"00-{trace_id}-{span_id}-01", "Idempotency-Key": str(new_id())}
    reply = whole.person("sales")._http.post(path, json=body, headers=headers)
    assert reply.status_code == status
    assert reply.headers["X-Request-Id"] == trace_id
    return trace_id, span_id, reply.json()


CLAIM: Tree = {
    ("pool", "serve", "SERVER", "POST /assignments:claim"): {
        ("pool", "serve", "CLIENT", APPLY): {("customer", "serve", "SERVER", APPLY): {}},
        ("pool", "work", "PRODUCER", "send crm.pool.v1.assignments_changed"): {
            ("customer", "work", "CONSUMER", "process customer-assignments"): {},
        },
    }
}


def test_a_claim_is_one_tree_from_the_request_to_its_last_effect(whole: Whole, collector: Collector) -> None:
    # An event that happens to be applied together with others is linked with the claim instead of below it.
    for _ in range(5):
        name = f"追踪{new_id().hex}"
        customer_id = whole.customers_in_pool([name])[0]
        until(lambda: _published(whole))
        trace_id, span_id, _ = _sampled(whole, "/assignments:claim", {"customer_ids": [customer_id]}, 200)
        with suppress(TimeoutError):
            until(lambda: _tree(collector.trace(trace_id), span_id) == CLAIM, 15)  # noqa: B023 - used at once
            break

    assert _tree(collector.trace(trace_id), span_id) == CLAIM
    steps = collector.trace(trace_id)
    assert len(steps) == 5
    assert not any(step.is_error for step in steps)
    said = str([step.attributes for step in steps])
    assert not any(
        secret in said for secret in (name, customer_id, whole.person("sales").id, whole.person("sales").name)
    )


def test_a_refusal_names_the_trace_that_its_problem_names(whole: Whole, collector: Collector) -> None:
    trace_id, span_id, problem = _sampled(whole, "/assignments:claim", {"customer_ids": [str(new_id())]}, 404)

    assert problem["trace_id"] == trace_id
    until(lambda: collector.trace(trace_id))
    (step,) = collector.trace(trace_id)
    assert (step.parent_id, step.attributes["http.response.status_code"], step.is_error) == (span_id, 404, False)


def test_what_nobody_sampled_is_not_recorded(whole: Whole, collector: Collector) -> None:
    before = {step.trace_id for step in collector.steps}
    whole.customers_in_pool([f"无踪{new_id().hex}"])
    trace_id, *_ = _sampled(whole, "/assignments:claim", {"customer_ids": [str(new_id())]}, 404)
    until(lambda: collector.trace(trace_id))

    assert {step.trace_id for step in collector.steps} - before == {trace_id}
