"""Sending the steps of traces to a collector, by OTLP over HTTP. Imported only where there is one."""

import atexit
import logging
from collections.abc import Sequence
from importlib.metadata import version

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import Tracer

from chassis.logs import get_logger
from chassis.settings import ServiceSettings

_TRY_SECONDS = 3
log = get_logger(__name__)


def exporting_tracer(service: str, role: str, settings: ServiceSettings) -> Tracer:
    """A tracer whose steps are sent in batches by a thread; what is left at the end of the process is sent then."""
    # Its loggers would say of every batch what `_Patient` says once.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    resource = Resource.create(
        {
            "service.namespace": "highsea",
            "service.name": service,
            "service.version": version(f"crm-{service}"),
            "highsea.role": role,
        }
    )
    endpoint = f"{settings.otel_exporter_otlp_endpoint.rstrip('/')}/v1/traces"
    exporter = _Patient(OTLPSpanExporter(endpoint, timeout=_TRY_SECONDS))
    sampler = sampler_of(settings.otel_traces_sampler, settings.otel_traces_sampler_arg)
    provider = TracerProvider(sampler, resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))

    def end() -> None:
        exporter.is_ending = True
        provider.shutdown()

    atexit.register(end)
    return provider.get_tracer("chassis")


def sampler_of(name: str, ratio: float) -> Sampler:
    """The sampler that the standard variables name."""
    root = TraceIdRatioBased(ratio) if "ratio" in name else ALWAYS_OFF if "off" in name else ALWAYS_ON
    return ParentBased(root) if name.startswith("parentbased_") else root


class _Patient(SpanExporter):
    """Says once that the collector is away and once that it is back; at the end of the process it waits no longer."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._is_away = False
        self.is_ending = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self._is_away and self.is_ending:
            return SpanExportResult.FAILURE
        result = self._exporter.export(spans)
        is_away, was_away = result is not SpanExportResult.SUCCESS, self._is_away
        self._is_away = is_away
        if is_away and not was_away:
            log.warning("traces_not_exported")
        if was_away and not is_away:
            log.info("traces_exported_again")
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()
