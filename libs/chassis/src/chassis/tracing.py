"""Trace context (W3C traceparent) and request id, carried through HTTP, gRPC, outbox and consumers."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

_TRACEPARENT = re.compile(r"^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$")


@dataclass(frozen=True)
class Trace:
    """One step of a trace: 32 and 16 hexadecimal digits."""

    trace_id: str
    span_id: str

    @property
    def traceparent(self) -> str:
        """The header value that makes the next step a child of this one."""
        return f"00-{self.trace_id}-{self.span_id}-01"


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)


def running_trace() -> Trace | None:
    """The running trace, None outside any."""
    return _current.get()


def current_trace() -> Trace:
    """The running trace, or a fresh one outside any."""
    return _current.get() or _fresh()


@contextmanager
def traced(traceparent: str | None = None) -> Iterator[Trace]:
    """Run the block as a step of `traceparent`, or of a new trace when it is missing or malformed."""
    match = _TRACEPARENT.match(traceparent or "")
    trace = Trace(match.group(1), secrets.token_hex(8)) if match else _fresh()
    token = _current.set(trace)
    try:
        yield trace
    finally:
        _current.reset(token)


def _fresh() -> Trace:
    return Trace(secrets.token_hex(16), secrets.token_hex(8))
