"""A collector of traces: receives OTLP over HTTP as real ones do, and keeps what it got."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from highsea_local.ports import free_port


@dataclass(frozen=True)
class Step:
    """A span as received. `process` is (service, role)."""

    process: tuple[str, str]
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    links: tuple[tuple[str, str], ...]
    is_error: bool


@dataclass
class Collector:
    """What has arrived so far."""

    url: str
    steps: list[Step] = field(default_factory=list)

    def trace(self, trace_id: str) -> list[Step]:
        """The steps of one trace."""
        return [step for step in list(self.steps) if step.trace_id == trace_id]

    def take(self, body: bytes) -> None:
        """Keep one request."""
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = _attributes(group.resource)
            process = (resource["service.name"], resource["highsea.role"])
            self.steps += [_step(process, span) for scope in group.scope_spans for span in scope.spans]


def _step(process: tuple[str, str], span: Any) -> Step:
    return Step(
        process,
        span.name,
        span.DESCRIPTOR.enum_types_by_name["SpanKind"].values_by_number[span.kind].name.removeprefix("SPAN_KIND_"),
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        _attributes(span),
        tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        span.status.code == span.status.STATUS_CODE_ERROR,
    )


def _attributes(holder: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in holder.attributes}


@contextmanager
def collecting(port: int | None = None) -> Iterator[Collector]:
    """A running collector."""
    port = port or free_port()
    collector = Collector(f"http://127.0.0.1:{port}")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            collector.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
