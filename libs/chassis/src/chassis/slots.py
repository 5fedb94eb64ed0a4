"""Places of a process: how many do something at once, refused beyond, and how many of them are taken."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Gauge

from chassis.errors import Unavailable


class Slots:
    """At most `limit` at once; `gauge` has the label `state`: `busy` and `limit`."""

    def __init__(self, gauge: Gauge, limit: int) -> None:
        self._free = threading.BoundedSemaphore(limit)
        self._busy = gauge.labels("busy")
        gauge.labels("limit").set(limit)

    @contextmanager
    def taken(self, wait_seconds: float) -> Iterator[None]:
        """Hold a place for the block. Raises Unavailable when none becomes free in time."""
        if not self._free.acquire(timeout=wait_seconds):
            raise Unavailable("overloaded", retry_after_seconds=1)
        self._busy.inc()
        try:
            yield
        finally:
            self._busy.dec()
            self._free.release()
