"""What the edges count, and that everything they log can be found by its trace."""

import asyncio
import threading
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from typing import Any

import grpc
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from chassis import metrics
from chassis.database import after_commit
from chassis.due import DueTask, run_due
from chassis.errors import Conflict, Unavailable
from chassis.logs import _with_origin
from chassis.slots import Slots
from crm.pool.v1 import pool_service_pb2 as pb
from highsea_local.servers.nats import NatsServer
from libs.chassis.tests.test_events import Wire, run
from libs.chassis.tests.test_rpc import calling, serving
from tests.support.services import Keys, OpenService

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE_ID = CALLER[3:35]
LIST_POOLS = "/crm.pool.v1.PoolService/ListPools"
Lines = list[MutableMapping[str, Any]]


@contextmanager
def logged() -> Iterator[Lines]:
    """The log lines of the block, as they would be written."""
    with capture_logs(processors=[_with_origin("sample", "test")]) as lines:
        yield lines


def traces(lines: Lines) -> dict[str, str | None]:
    """Event → the trace it was logged with."""
    return {line["event"]: line.get("trace_id") for line in lines}


@contextmanager
def counted(name: str, **labels: str) -> Iterator[Callable[[], float]]:
    """How much a series has grown since the block began."""
    before = REGISTRY.get_sample_value(name, labels) or 0
    yield lambda: (REGISTRY.get_sample_value(name, labels) or 0) - before


@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [
        ("GET", "/notes/nowhere/at/all", "none", 404),
        ("DELETE", "/notes", "none", 405),
        ("BREW", "/notes", "none", 405),
        ("GET", "/notes/broken", "/notes/broken", 500),
        ("GET", "/notes", "/notes", 401),
    ],
)
def test_every_answer_is_counted_by_the_template_of_its_route(
    sample: OpenService, method: str, path: str, route: str, status: int
) -> None:
    known = {"method": "OTHER" if method == "BREW" else method, "route": route, "status": str(status)}
    with counted("http_server_request_duration_seconds_count", **known) as more:
        sample.client.open(f"/api/v1{path}", method=method)

        assert more() == 1


def test_a_place_is_counted_while_it_is_taken_and_refused_when_none_is_left() -> None:
    slots = Slots(metrics.http_threads, 2)
    busy = metrics.http_threads.labels("busy")
    before = busy._value.get()

    with slots.taken(0), slots.taken(0):
        assert busy._value.get() == before + 2
        with pytest.raises(Unavailable, match="overloaded"), slots.taken(0):
            pass
    assert busy._value.get() == before
    assert REGISTRY.get_sample_value("http_server_threads", {"state": "limit"}) == 2


@pytest.mark.parametrize(
    ("error", "code"), [(None, "OK"), (Conflict("x"), "FAILED_PRECONDITION"), (RuntimeError(), "INTERNAL")]
)
def test_a_call_is_counted_at_both_ends_by_what_became_of_it(keys: Keys, error: Exception | None, code: str) -> None:
    known = {"grpc_method": LIST_POOLS, "grpc_code": code}
    with (
        counted("grpc_server_handling_seconds_count", **known) as answered,
        counted("grpc_client_handling_seconds_count", **known) as called,
        serving(keys) as (pools, bind),
        calling(keys, bind) as stub,
    ):
        pools.error = error
        with suppress(grpc.RpcError):
            stub.ListPools(pb.ListPoolsRequest())

        assert (answered(), called()) == (1, 1)


def test_calls_being_answered_are_counted(keys: Keys) -> None:
    busy = metrics.grpc_threads.labels("busy")
    during: list[float] = []
    with serving(keys) as (pools, bind), calling(keys, bind) as stub:
        before = busy._value.get()
        pools.callers = type("Watching", (list,), {"append": lambda *_: during.append(busy._value.get())})()
        stub.ListPools(pb.ListPoolsRequest())

    assert during == [before + 1]
    assert busy._value.get() == before
    assert REGISTRY.get_sample_value("grpc_server_threads", {"state": "limit"}) == 16


def test_a_request_logs_with_the_trace_that_its_problem_names(sample: OpenService) -> None:
    with logged() as lines:
        reply = sample.client.get("/api/v1/notes/broken", headers={"traceparent": CALLER})

    assert reply.json["trace_id"] == reply.headers["X-Request-Id"] == TRACE_ID
    assert traces(lines) == {"request_failed": TRACE_ID}


def test_what_is_done_after_the_commit_logs_with_the_trace_of_its_request(sample: OpenService) -> None:
    def fail() -> None:
        raise Unavailable("peer_unavailable")

    with logged() as lines, pytest.MonkeyPatch.context() as patch:
        patch.setattr("libs.chassis.tests.sample.record_event", lambda session, _: after_commit(session, fail))
        headers = sample.headers(sample.organisation.sales, traceparent=CALLER)
        reply = sample.client.post("/api/v1/notes", json={"text": "a"}, headers=headers)

    assert reply.status_code == 201
    assert traces(lines) == {"after_commit_failed": TRACE_ID}


def test_a_call_logs_with_the_trace_that_its_caller_is_told(keys: Keys) -> None:
    with logged() as lines, serving(keys) as (pools, bind), calling(keys, bind) as stub:
        pools.error = RuntimeError("secret detail")
        with pytest.raises(grpc.RpcError) as failed:
            stub.ListPools(pb.ListPoolsRequest())

    (trace_id,) = traces(lines).values()
    assert trace_id is not None
    assert failed.value.details() == f"internal_error {trace_id}"


def test_an_event_that_fails_and_is_put_aside_logs_with_the_trace_that_made_it(
    nats_server: NatsServer, sample: OpenService
) -> None:
    async def story(wire: Wire) -> None:
        wire.effects.refuse["bad"] = ValueError("cannot be")
        await wire.js.publish(f"{wire.subject}.x", b"\xff\xff", headers={"traceparent": CALLER})
        with logged() as lines:
            await wire.deliver()
        assert traces(lines) == {"event_put_aside": TRACE_ID}

        from chassis.tracing import running_trace_id, traced

        with traced("request", parent={"traceparent": CALLER}):
            assert running_trace_id() == TRACE_ID
            wire.record("bad")
        await wire.relay()
        with logged() as lines:
            while "event_put_aside" not in traces(lines):
                await wire.deliver()
        assert traces(lines) == {"event_failed": TRACE_ID, "event_put_aside": TRACE_ID}

    run(nats_server, sample, story)


def test_each_run_of_a_due_task_has_a_trace_of_its_own_for_its_logs(sample: OpenService) -> None:
    stopping, runs = asyncio.Event(), threading.Semaphore(0)

    def fail(_runtime: Any) -> bool:
        runs.release()
        raise Unavailable("peer_unavailable")

    async def story() -> None:
        working = asyncio.create_task(run_due([DueTask("failing", 0.01, fail)], sample.runtime, stopping))
        for _ in range(3):
            await asyncio.to_thread(runs.acquire)
        stopping.set()
        await working

    with logged() as lines, counted("crm_due_work_failures_total", task="failing") as failures:
        asyncio.run(story())

        assert failures() == len(lines) >= 3
    assert {line["event"] for line in lines} == {"due_task_failed"}
    assert len({line["trace_id"] for line in lines}) == len(lines)
