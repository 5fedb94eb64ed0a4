"""The edge of HTTP: a request is a step of its caller's trace, and measured."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from chassis import metrics
from chassis.tracing import Headers, SpanKind, current_trace_id, failed, traced

NO_ROUTE = "none"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
ResponseT = TypeVar("ResponseT", bound=Any)


class Answer:
    """What becomes of a request; 500 until there is a response."""

    def __init__(self, request_id: str) -> None:
        self.status = 500
        self._request_id = request_id

    def with_id(self, response: ResponseT) -> ResponseT:
        """The response (Flask's or Starlette's) with X-Request-Id: the caller's own, else the trace."""
        self.status = response.status_code
        response.headers["X-Request-Id"] = self._request_id
        return response


@contextmanager
def answering(method: str, route: str, headers: Headers) -> Iterator[Answer]:
    """Answer one request inside the block. `route` is the template, never the path: it becomes a label."""
    method, started = method if method in _METHODS else "OTHER", time.perf_counter()
    known = {"http.request.method": method, "http.route": route}
    with traced(f"{method} {route}", SpanKind.SERVER, headers, known) as span:
        answer = Answer((headers.get("X-Request-Id") or current_trace_id())[:64])
        try:
            yield answer
        finally:
            elapsed = time.perf_counter() - started
            metrics.http_duration.labels(method, route, str(answer.status)).observe(elapsed)
            span.set_attribute("http.response.status_code", answer.status)
            if answer.status >= 500:
                failed(span, str(answer.status))
