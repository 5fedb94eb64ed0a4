"""Steps of traces (OpenTelemetry), carried as W3C headers through HTTP, gRPC, outbox, NATS and consumers.

Every edge runs its work in `traced`. Without a collector the steps have ids, for logs, problems and whoever comes next,
and nothing is recorded. Names and attributes of steps are what the code knows (routes, methods, subjects, durables):
never what users wrote, and no message of an exception, which may quote it.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    NoOpTracer,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    format_trace_id,
    get_current_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from chassis.settings import ServiceSettings

__all__ = [
    "Headers",
    "Span",
    "SpanKind",
    "carried",
    "current_trace_id",
    "export_traces",
    "failed",
    "quietly",
    "running_trace_id",
    "traced",
]


class Headers(Protocol):
    """Where `traceparent` is looked up: headers of HTTP or NATS, metadata of gRPC."""

    def get(self, name: str, /) -> Any:
        """The value, or None."""


class _Silent(NoOpTracer):
    """Makes ids and nothing else; whether others record the trace stays as the caller said."""

    def start_span(self, name: str, context: Context | None = None, *_args: Any, **_options: Any) -> Span:
        caller = get_current_span(context).get_span_context()
        trace_id = caller.trace_id if caller.is_valid else secrets.randbits(128)
        return NonRecordingSpan(
            SpanContext(trace_id, secrets.randbits(64), False, caller.trace_flags, caller.trace_state)
        )


_W3C = TraceContextTextMapPropagator()
_SILENT = _Silent()
_tracer: Tracer = _SILENT


def export_traces(service: str, role: str, settings: ServiceSettings) -> None:
    """Record from now on, if there is a collector. Call it after the fork: exporting has a thread of its own."""
    global _tracer  # noqa: PLW0603 - one per process, like the logs
    if settings.otel_exporter_otlp_endpoint:
        from chassis.exporting import exporting_tracer

        _tracer = exporting_tracer(service, role, settings)


@contextmanager
def traced(
    name: str,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: Headers | None = None,
    attributes: Mapping[str, str | int] | None = None,
    links: Iterable[Headers] = (),
) -> Iterator[Span]:
    """Run the block as a step of `parent`'s trace; of a new one if it names none, of the running one if it is None.

    `links` are headers of other traces that the step belongs to as well.
    """
    linked = [] if _tracer is _SILENT else [Link(_context_of(other)) for other in links]
    with _tracer.start_as_current_span(
        name,
        None if parent is None else _W3C.extract(parent),
        kind,
        attributes,
        linked,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except Exception as error:
            failed(span, type(error).__name__)
            raise


@contextmanager
def quietly(parent: Headers | None = None) -> Iterator[None]:
    """Run the block with the ids of `parent`'s trace, or of a new one, for its logs; no step is recorded."""
    with _SILENT.start_as_current_span("", _W3C.extract(parent or {})):
        yield


def failed(span: Span, error_type: str) -> None:
    """Mark a step as failed."""
    span.set_status(Status(StatusCode.ERROR))
    span.set_attribute("error.type", error_type)


def carried() -> dict[str, str]:
    """Headers that make the next step a child of the running one."""
    headers: dict[str, str] = {}
    _W3C.inject(headers)
    return headers


def running_trace_id() -> str | None:
    """The running trace as 32 hexadecimal digits, None outside any."""
    context = get_current_span().get_span_context()
    return format_trace_id(context.trace_id) if context.is_valid else None


def current_trace_id() -> str:
    """The running trace, or a fresh one outside any."""
    return running_trace_id() or secrets.token_hex(16)


def _context_of(headers: Headers) -> SpanContext:
    return get_current_span(_W3C.extract(headers)).get_span_context()
