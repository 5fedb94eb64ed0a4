"""What tracing costs a request: one list of a small service, answered in this process, limit: the same without any trace."""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from opentelemetry.trace import INVALID_SPAN, NoOpTracer
from werkzeug.test import TestResponse

from chassis import tracing
from chassis.exporting import exporting_tracer
from chassis.settings import ServiceSettings
from crm_pool.service import SERVICE
from highsea_local.servers.postgres import PostgresServer
from tests.support.collector import collecting
from tests.support.services import Keys, Opener

ROUNDS, REQUESTS = 10, 50


class _Nothing(NoOpTracer):
    def start_span(self, *_: object, **__: object):
        return INVALID_SPAN


def main() -> None:
    """Print the median CPU time of a request, the exporting thread's included, for each, measured in turns."""
    with _answering() as ask, collecting() as collector:
        settings = ServiceSettings.model_construct(otel_exporter_otlp_endpoint=collector.url)
        tracers = {
            "none": _Nothing(),
            "off": tracing._SILENT,
            "on, every request": exporting_tracer("pool", "serve", settings),
        }
        times: dict[str, list[float]] = {name: [] for name in tracers}
        for _ in range(ROUNDS):
            for name, tracer in tracers.items():
                with patch.object(tracing, "_tracer", tracer):
                    times[name] += _timed(ask)
    floor = statistics.median(times["none"])
    print(f"\n{'traces':<20}{'µs CPU a request':>18}{'ratio':>8}")
    for name, found in times.items():
        print(f"{name:<20}{statistics.median(found) * 1e6:>18.0f}{statistics.median(found) / floor:>8.3f}")


@contextmanager
def _answering() -> Iterator[Callable[[], TestResponse]]:
    with tempfile.TemporaryDirectory(prefix="highsea-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        with PostgresServer(folder / "postgres", durable=False) as postgres:
            opener = Opener(postgres, Keys.generate(), folder / "objects")
            with opener.open(SERVICE) as pool:
                headers = pool.headers(pool.organisation.sales)
                yield lambda: pool.client.get("/api/v1/pools", headers=headers)


def _timed(ask: Callable[[], TestResponse]) -> list[float]:
    times = []
    for _ in range(REQUESTS):
        started = time.process_time()
        assert ask().status_code == 200
        times.append(time.process_time() - started)
    return times


if __name__ == "__main__":
    main()
