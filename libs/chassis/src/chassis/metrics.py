"""Prometheus metrics that every service has (RED for HTTP and gRPC, outbox, consumers, projections)."""

from prometheus_client import Counter, Gauge, Histogram

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

http_duration = Histogram(
    "http_server_request_duration_seconds", "HTTP requests", ["method", "route", "status"], buckets=_BUCKETS
)
grpc_duration = Histogram(
    "grpc_server_handling_seconds", "gRPC calls answered", ["grpc_method", "grpc_code"], buckets=_BUCKETS
)
grpc_client_duration = Histogram(
    "grpc_client_handling_seconds", "gRPC calls made", ["grpc_method", "grpc_code"], buckets=_BUCKETS
)
outbox_pending = Gauge("crm_outbox_pending", "Outbox rows not yet published")
outbox_oldest_age = Gauge("crm_outbox_oldest_age_seconds", "Age of the oldest unpublished outbox row")
outbox_published = Counter("crm_outbox_published_total", "Outbox rows published")
consumer_events = Counter("crm_consumer_events_total", "Events applied", ["durable"])
consumer_redeliveries = Counter("crm_consumer_redeliveries_total", "Events seen again", ["durable"])
consumer_failures = Counter(
    "crm_consumer_failures_total", "Events whose handling failed and will be retried", ["durable"]
)
consumer_lag = Gauge("crm_consumer_lag", "Events waiting for a durable", ["durable"])
dead_letters = Counter("crm_dlq_messages_total", "Events put aside as dead letters", ["durable"])
projection_drift = Gauge("projection_drift", "Rows that differ from their owner's at the last check", ["projection"])
due_work_failures = Counter("crm_due_work_failures_total", "Failed runs of a due task", ["task"])
dependency_up = Gauge("crm_dependency_up", "1 while a dependency answers", ["dependency"])
database_connections = Gauge("db_pool_connections", "Connections of the pool", ["state"])
