"""Prometheus metrics that every service has; `docs/metrics.md` lists these and the services' own.

A help text ends with who measures it and how the numbers of several processes are put together: `sum` for what each
process does, `max` for a fact that lies outside of them all (in the database, in NATS), which every `work` process
measures for itself.
"""

from collections.abc import Iterable, Mapping, Sequence

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
MEASURE_SECONDS = 15.0

disable_created_metrics()  # type: ignore[no-untyped-call]  # a third of all series, read by nobody


class Fact(Collector):
    """A gauge whose numbers are measured from time to time, all at once; one not yet measured has none.

    A label value that is measured no more is gone, and a process that does not measure it says nothing of it: a Gauge
    would go on saying 0 or the last number.
    """

    def __init__(self, name: str, documentation: str, labelnames: Sequence[str] = ()) -> None:
        self.name, self.documentation, self.labelnames = name, documentation, tuple(labelnames)
        self._values: Mapping[tuple[str, ...], float] = {}
        REGISTRY.register(self)

    def set(self, value: float) -> None:
        """Replace the number of a fact without labels."""
        self.set_all({(): value})

    def set_all(self, values: Mapping[tuple[str, ...], float]) -> None:
        """Replace every number: label values → number."""
        self._values = dict(values)

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """The name alone; registering asks for it."""
        yield GaugeMetricFamily(self.name, self.documentation, labels=self.labelnames)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """What was measured last."""
        family = GaugeMetricFamily(self.name, self.documentation, labels=self.labelnames)
        for labels, value in self._values.items():
            family.add_metric(labels, value)
        yield family


build_info = Gauge(
    "crm_build_info", "1, with what runs here as labels (every role; sum)", ["service", "role", "version"]
)

http_duration = Histogram(
    "http_server_request_duration_seconds",
    "HTTP requests answered; route 'none' for what no route answers; of a stream only its opening (serve, push; sum)",
    ["method", "route", "status"],
    buckets=_BUCKETS,
)
http_threads = Gauge("http_server_threads", "Requests being answered, and the most at once (serve; sum)", ["state"])
grpc_duration = Histogram(
    "grpc_server_handling_seconds",
    "gRPC calls answered; all are unary. Calls that found no place are seen by their callers alone (bulk, serve; sum)",
    ["grpc_method", "grpc_code"],
    buckets=_BUCKETS,
)
grpc_threads = Gauge(
    "grpc_server_threads", "gRPC calls being answered, and the most at once (bulk, serve; sum)", ["state"]
)
grpc_client_duration = Histogram(
    "grpc_client_handling_seconds",
    "gRPC calls made, retries included (every role; sum)",
    ["grpc_method", "grpc_code"],
    buckets=_BUCKETS,
)
database_connections = Gauge(
    "db_pool_connections", "Connections to PostgreSQL: checked_out in use, size the most (every role; sum)", ["state"]
)
dependency_up = Gauge(
    "crm_dependency_up", "1 while a dependency answers, as the last /readyz found (every role; min)", ["dependency"]
)

outbox_pending = Fact("crm_outbox_pending", "Outbox rows not yet published (work; max)")
outbox_oldest_age = Fact("crm_outbox_oldest_age_seconds", "Age of the oldest unpublished outbox row (work; max)")
outbox_published = Counter("crm_outbox_published_total", "Outbox rows published (work; sum)")

consumer_events = Counter("crm_consumer_events_total", "Messages handled (work, process; sum)", ["durable"])
consumer_redeliveries = Counter(
    "crm_consumer_redeliveries_total", "Messages delivered again (work, process; sum)", ["durable"]
)
consumer_failures = Counter(
    "crm_consumer_failures_total",
    "Messages whose handling failed and will be tried again (work, process; sum)",
    ["durable"],
)
consumer_lag = Fact(
    "crm_consumer_lag",
    "Messages not handled yet: waiting for the durable, or delivered and unacknowledged (work; max)",
    ["durable"],
)
consumer_unacknowledged = Fact(
    "crm_consumer_unacknowledged",
    "Messages delivered and not acknowledged yet, a part of the lag (work; max)",
    ["durable"],
)


def count_from_zero(durable: str) -> None:
    """Show what is counted of a durable before it happens: nobody sees the first of a number that begins with 1."""
    for counter in (consumer_events, consumer_redeliveries, consumer_failures):
        counter.labels(durable)


dead_letters = Counter("crm_dlq_messages_total", "Messages put aside as dead letters (work; sum)", ["durable"])
dead_letters_waiting = Fact("crm_dlq_waiting", "Dead letters that lie there now (work; max)", ["durable"])

projection_drift = Gauge(
    "projection_drift", "Rows that differ from their owner's at the last check (work; max)", ["projection"]
)
due_work_failures = Counter("crm_due_work_failures_total", "Failed runs of a due task (work; sum)", ["task"])
