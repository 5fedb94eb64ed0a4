"""Steps of traces: ids always, records only where there is a collector, and never at the cost of the work."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis import tracing
from chassis.events.consumer import processing
from chassis.exporting import sampler_of
from chassis.tracing import SpanKind, carried, current_trace_id, quietly, running_trace_id, traced
from highsea_local.ports import free_port
from tests.support.collector import collecting

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler_of("parentbased_always_on", 1), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


def test_without_a_collector_steps_have_ids_and_what_the_caller_said_is_passed_on() -> None:
    with traced("answer", parent={"traceparent": CALLER}):
        with traced("call"):
            passed_on = carried()["traceparent"]

    assert passed_on[:36] == CALLER[:36]
    assert passed_on[-2:] == "01"
    assert passed_on != CALLER


@pytest.mark.parametrize("header", [None, "", "garbage", "00-" + "0" * 32 + "-b7ad6b7169203331-01", "x" * 1000])
def test_a_missing_or_malformed_header_begins_a_trace(header: str | None) -> None:
    with traced("outer", parent={"traceparent": CALLER}), traced("answer", parent={"traceparent": header}):
        found = running_trace_id()

    assert found is not None
    assert found not in CALLER
    assert len(found) == 32


def test_outside_of_any_step_there_is_no_running_trace_but_always_an_id() -> None:
    assert running_trace_id() is None
    assert len(current_trace_id()) == 32
    assert carried() == {}


def test_the_state_of_other_tracing_systems_goes_along() -> None:
    with traced("answer", parent={"traceparent": CALLER, "tracestate": "vendor=1"}):
        assert carried()["tracestate"] == "vendor=1"


def test_a_failure_is_recorded_without_its_message(recorded: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="13912345678"), traced("answer", SpanKind.SERVER):
        raise ValueError("13912345678")

    (step,) = recorded.get_finished_spans()
    assert not step.status.is_ok
    assert step.attributes == {"error.type": "ValueError"}
    assert step.events == ()
    assert "13912345678" not in step.to_json()


def test_messages_of_one_trace_are_its_next_step(recorded: InMemorySpanExporter) -> None:
    with processing("customer-assignments", [CALLER, CALLER]):
        pass

    (step,) = recorded.get_finished_spans()
    assert step.parent is not None
    assert f"{step.parent.trace_id:032x}" in CALLER
    assert step.links == ()


def test_messages_of_several_traces_are_a_trace_linked_with_each(recorded: InMemorySpanExporter) -> None:
    with processing("customer-assignments", [CALLER, OTHER, OTHER]):
        pass

    (step,) = recorded.get_finished_spans()
    assert step.parent is None
    assert [f"{link.context.trace_id:032x}" for link in step.links] == [CALLER[3:35], OTHER[3:35]]


def test_what_runs_quietly_has_ids_and_is_not_recorded(recorded: InMemorySpanExporter) -> None:
    with quietly({"traceparent": CALLER}):
        assert running_trace_id() == CALLER[3:35]

    assert recorded.get_finished_spans() == ()


@pytest.mark.parametrize(
    ("name", "root", "of_sampled"),
    [
        ("always_on", True, True),
        ("always_off", False, False),
        ("traceidratio", False, False),
        ("parentbased_always_on", True, True),
        ("parentbased_always_off", False, True),
        ("parentbased_traceidratio", False, True),
    ],
)
def test_samplers_are_those_of_the_standard(name: str, root: bool, of_sampled: bool) -> None:
    provider = TracerProvider(sampler_of(name, 0), shutdown_on_exit=False)
    tracer = provider.get_tracer("test")
    caller = tracing._W3C.extract({"traceparent": CALLER})

    assert tracer.start_span("root", {}).is_recording() is root
    assert tracer.start_span("child", caller).is_recording() is of_sampled


# A process of its own: what it does at its end cannot be seen from inside.
_PROCESS = """
import sys, threading
from chassis.logs import configure_logs
from chassis.settings import ServiceSettings
from chassis.tracing import export_traces, traced
configure_logs("pool", "serve", "INFO")
export_traces("pool", "serve", ServiceSettings.model_construct(otel_exporter_otlp_endpoint=sys.argv[1]))
for _ in range(int(sys.argv[2])):
    with traced("answer"):
        pass
print(threading.active_count(), "opentelemetry.sdk" in sys.modules)
"""


def _process(endpoint: str, steps: int) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _PROCESS, endpoint, str(steps)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_without_a_collector_there_is_no_thread_and_nothing_is_loaded() -> None:
    assert _process("", 10) == ["1 False"]


def test_what_is_left_at_the_end_is_sent() -> None:
    with collecting() as collector:
        said = _process(collector.url, 700)

    assert said == ["2 True"]
    assert len(collector.steps) == 700
    assert {step.process for step in collector.steps} == {("pool", "serve")}


def test_a_collector_that_is_away_costs_one_line_of_the_log() -> None:
    said = _process(f"http://127.0.0.1:{free_port()}", 20_000)

    assert sum('"event": "traces_not_exported"' in line for line in said) == 1
    assert len(said) == 2
