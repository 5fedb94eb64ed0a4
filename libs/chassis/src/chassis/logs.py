"""JSON logs on standard output: one object per line, ids only, never personal data (design rule 10)."""

import logging
import sys
from typing import Any

import structlog

from chassis.tracing import running_trace_id


def configure_logs(service: str, role: str, level: str) -> None:
    """Route structlog and the standard library's loggers to one JSON line per event."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
        _with_origin(service, role),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processor=structlog.processors.JSONRenderer(ensure_ascii=False), foreign_pre_chain=shared
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("nats", "alembic", "gunicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose first argument is a constant event name in snake_case and the rest are fields."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger


def _with_origin(service: str, role: str) -> Any:
    def add(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        event.setdefault("service", service)
        event.setdefault("role", role)
        if (trace_id := running_trace_id()) is not None:
            event.setdefault("trace_id", trace_id)
        return event

    return add
